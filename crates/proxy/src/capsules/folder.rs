//! The folder of capsules: names, budget, and the modules beside them.

use std::collections::VecDeque;
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use weir_capsule::Head;
use weir_capsule::file::EXTENSION;
use weir_capsule::replay::hex;

use crate::code::read_module;

/// Characters of a filter's name in the name of a file.
const NAME_CHARS_MAX: usize = 64;

/// Makes the folder, for its owner only.
pub(super) fn prepare(folder: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

/// The folder, as far as it holds capsules.
pub(super) struct Folder {
    path: PathBuf,
    /// The oldest first.
    files: VecDeque<(PathBuf, u64)>,
    bytes: u64,
    /// Bytes and files that it may hold.
    budget: (u64, u64),
    number: u64,
}

impl Folder {
    /// Looks for what is there already.
    pub(super) fn open(path: PathBuf, budget: (u64, u64)) -> Self {
        let mut found: Vec<(SystemTime, PathBuf, u64)> = Vec::new();
        for entry in std::fs::read_dir(&path).into_iter().flatten().flatten() {
            let file = entry.path();
            let is_capsule = file.extension().is_some_and(|end| end == EXTENSION);
            if let Ok(about) = entry.metadata()
                && is_capsule
                && about.is_file()
            {
                found.push((about.modified().unwrap_or(UNIX_EPOCH), file, about.len()));
            }
        }
        found.sort_unstable();
        Self {
            path,
            bytes: found.iter().map(|(_, _, bytes)| bytes).sum(),
            files: found
                .into_iter()
                .map(|(_, file, bytes)| (file, bytes))
                .collect(),
            budget,
            number: 0,
        }
    }

    /// A new name: filter, time and number.
    pub(super) fn name(&mut self, head: &Head) -> String {
        let plain = |character: char| match character {
            'a'..='z' | 'A'..='Z' | '0'..='9' | '-' | '_' => character,
            _ => '-',
        };
        let filter: String = head
            .filter
            .chars()
            .take(NAME_CHARS_MAX)
            .map(plain)
            .collect();
        let time = utc(UNIX_EPOCH + Duration::from_nanos(head.written_at));
        self.number += 1;
        format!("{filter}-{time}-{}.{EXTENSION}", self.number)
    }

    /// Writes a file, which is there under its name when it is whole.
    pub(super) fn put<T>(
        &mut self,
        name: &str,
        write: impl FnOnce(&mut dyn Write) -> io::Result<T>,
    ) -> io::Result<(PathBuf, T)> {
        let (path, part) = (
            self.path.join(name),
            self.path.join(format!(".{name}.part")),
        );
        let placed = written(&part, write).and_then(|(bytes, written)| {
            std::fs::rename(&part, &path)?;
            Ok((bytes, written))
        });
        let (bytes, written) = placed.inspect_err(|_| {
            // What was begun is of no use; it may not even be there.
            let _ = std::fs::remove_file(&part);
        })?;
        self.bytes += bytes;
        self.files.push_back((path.clone(), bytes));
        Ok((path, written))
    }

    /// Removes the oldest capsules until the others fit into the budget. The newest stays.
    pub(super) fn trim(&mut self) {
        let (bytes, files) = self.budget;
        while self.files.len() > 1 && (self.bytes > bytes || self.files.len() as u64 > files) {
            let Some((path, length)) = self.files.pop_front() else {
                return;
            };
            self.bytes -= length;
            match std::fs::remove_file(&path) {
                Ok(()) => {}
                // Somebody else has removed it.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => {
                    tracing::warn!(capsule = %path.display(), %error, "an old capsule stays");
                }
            }
        }
    }

    /// Puts a module beside the capsules, so that the folder is all that a replay needs.
    pub(super) fn keep_module(&mut self, module: &Path, sha256: &[u8; 32]) -> io::Result<()> {
        let path = self.path.join(format!("{}.wasm", hex(sha256)));
        if path.exists() {
            return Ok(());
        }
        let bytes = read_module(module)?;
        let source = weir_guest::code::Source::new(bytes);
        if source.digest().to_string() != hex(sha256) {
            return Err(io::Error::other("its file is another one by now"));
        }
        let part = path.with_extension("wasm.part");
        written(&part, |file| file.write_all(source.bytes()))?;
        std::fs::rename(&part, &path)
    }
}

/// Writes a file for its owner only; returns its length.
fn written<T>(
    path: &Path,
    write: impl FnOnce(&mut dyn Write) -> io::Result<T>,
) -> io::Result<(u64, T)> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600);
    let mut file = BufWriter::new(options.open(path)?);
    let outcome = write(&mut file)?;
    let file: File = file.into_inner().map_err(io::IntoInnerError::into_error)?;
    Ok((file.metadata()?.len(), outcome))
}

/// A time of day in UTC, to the millisecond, in characters that are fine in names of files.
fn utc(time: SystemTime) -> String {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    let (days, second) = (since.as_secs() / 86_400, since.as_secs() % 86_400);
    let (year, month, day) = civil(days);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    let millisecond = since.subsec_millis();
    format!("{year:04}{month:02}{day:02}T{hour:02}{minute:02}{second:02}.{millisecond:03}Z")
}

/// The date of a day since 1970 in the Gregorian calendar.
fn civil(days: u64) -> (u64, u64, u64) {
    // Years that begin in March, in eras of 400 years, counted from the year 0.
    let days = days + 719_468;
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let (month, later) = if month < 10 {
        (month + 3, 0)
    } else {
        (month - 9, 1)
    };
    (year + era * 400 + later, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_told_in_utc() {
        let check = |seconds, text| {
            assert_eq!(utc(UNIX_EPOCH + Duration::from_secs(seconds)), text);
        };
        check(0, "19700101T000000.000Z");
        check(951_827_696, "20000229T123456.000Z");
        check(1_795_443_445, "20261123T141725.000Z");
    }

    #[test]
    fn the_oldest_go_first_and_the_newest_stays() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().to_owned();
        let mut capsules = Folder::open(path.clone(), (25, 3));
        let mut put = |name: &str| {
            capsules
                .put(name, |file| file.write_all(&[0; 10]))
                .expect("written");
            capsules.trim();
        };
        put("a.weircap");
        put("b.weircap");
        put("c.weircap");
        let left = |path: &Path| {
            let entries = std::fs::read_dir(path).expect("a folder");
            let mut names: Vec<_> = entries
                .map(|entry| entry.expect("an entry").file_name().into_string())
                .map(|name| name.expect("text"))
                .collect();
            names.sort();
            names
        };
        assert_eq!(left(&path), ["b.weircap", "c.weircap"]);
        let mut later = Folder::open(path.clone(), (5, 3));
        later
            .put("d.weircap", |file| file.write_all(&[0; 10]))
            .expect("written");
        later.trim();
        assert_eq!(left(&path), ["d.weircap"]);
        let failed = later.put("e.weircap", |file| {
            file.write_all(&[0; 10])?;
            Err::<(), _>(io::Error::other("no"))
        });
        assert!(failed.is_err());
        assert_eq!(left(&path), ["d.weircap"]);
    }
}
