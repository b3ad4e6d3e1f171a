//! A folder that only its owner can write to: the ground on which loading code is safe.
//!
//! Invariant: every name is looked up in the folder that was checked, which is held open; a name
//! that was swapped for a link is not followed.

use std::fs::{DirBuilder, File};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags};

/// Files that are being written start with this. One that is older than [`LEFT_BEHIND`] never will
/// be finished.
const UNFINISHED: &str = ".unfinished-";
const LEFT_BEHIND: Duration = Duration::from_hours(1);
/// Bits of a mode that let others write.
const WRITABLE_BY_OTHERS: u32 = 0o022;

/// Why a folder cannot hold compiled code.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// It is not there and cannot be made, or cannot be opened.
    #[error("{}: {error}", path.display())]
    System {
        /// The folder.
        path: PathBuf,
        /// What the system said.
        #[source]
        error: io::Error,
    },
    /// Others can put code there, which this process would run.
    #[error("{}: {why}; a cache of compiled code must be out of others' reach", path.display())]
    Untrusted {
        /// The folder.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
}

/// A folder that was checked, held open.
pub(super) struct Folder {
    descriptor: File,
    path: PathBuf,
}

/// A file in the folder.
pub(super) struct Listed {
    pub(super) name: String,
    pub(super) bytes: u64,
    pub(super) used: SystemTime,
}

impl Folder {
    /// Opens a folder, which is made if it is not there.
    pub(super) fn open(path: &Path) -> Result<Self, FolderError> {
        let failed = |error: io::Error| FolderError::System {
            path: path.to_owned(),
            error,
        };
        if !path.is_dir() {
            let made = DirBuilder::new().recursive(true).mode(0o755).create(path);
            made.map_err(failed)?;
        }
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let descriptor = rustix::fs::open(path, flags, Mode::empty());
        let descriptor = File::from(descriptor.map_err(io::Error::from).map_err(failed)?);
        let about = descriptor.metadata().map_err(failed)?;
        trusted(about.uid(), about.mode()).map_err(|why| FolderError::Untrusted {
            path: path.to_owned(),
            why,
        })?;
        Ok(Self {
            descriptor,
            path: path.to_owned(),
        })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Opens a file that nobody else can have written. `Ok(None)`: there is none.
    pub(super) fn file(&self, name: &str) -> io::Result<Option<Result<File, String>>> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = match rustix::fs::openat(&self.descriptor, name, flags, Mode::empty()) {
            Ok(file) => File::from(file),
            Err(rustix::io::Errno::NOENT) => return Ok(None),
            Err(rustix::io::Errno::LOOP) => return Ok(Some(Err("it is a link".to_owned()))),
            Err(error) => return Err(error.into()),
        };
        let about = file.metadata()?;
        if !about.is_file() {
            return Ok(Some(Err("it is no ordinary file".to_owned())));
        }
        Ok(Some(trusted(about.uid(), about.mode()).map(|()| file)))
    }

    /// Makes a file with what `write` writes, all at once: readers see the old one or the new one.
    pub(super) fn publish(
        &self,
        name: &str,
        write: impl FnOnce(&File) -> io::Result<()>,
    ) -> io::Result<()> {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let unfinished = format!("{UNFINISHED}{}-{count}", std::process::id());
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW;
        // What an earlier process of this number left is in the way.
        self.remove(&unfinished)?;
        let mode = Mode::from_raw_mode(0o644);
        let file = rustix::fs::openat(&self.descriptor, &unfinished, flags | OFlags::CLOEXEC, mode);
        let file = File::from(file?);
        let written = write(&file)
            .and_then(|()| file.sync_data())
            .and_then(|()| self.rename(&unfinished, name));
        if written.is_err() {
            // The first error is the one to tell.
            let _ = self.remove(&unfinished);
        }
        written
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        Ok(rustix::fs::renameat(
            &self.descriptor,
            from,
            &self.descriptor,
            to,
        )?)
    }

    /// Removes a file; one that is not there is fine.
    pub(super) fn remove(&self, name: &str) -> io::Result<()> {
        match rustix::fs::unlinkat(&self.descriptor, name, AtFlags::empty()) {
            Ok(()) | Err(rustix::io::Errno::NOENT) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Ordinary files with this ending, and what was left behind unfinished, which is removed.
    pub(super) fn files(&self, suffix: &str) -> io::Result<Vec<Listed>> {
        let mut files = Vec::new();
        for entry in Dir::read_from(&self.descriptor)? {
            let entry = entry?;
            let Ok(name) = entry.file_name().to_str() else {
                continue;
            };
            let is_unfinished = name.starts_with(UNFINISHED);
            if !is_unfinished && !name.ends_with(suffix) {
                continue;
            }
            let flags = AtFlags::SYMLINK_NOFOLLOW;
            let Ok(about) = rustix::fs::statat(&self.descriptor, name, flags) else {
                // Another process has just removed it.
                continue;
            };
            if FileType::from_raw_mode(about.st_mode) != FileType::RegularFile {
                continue;
            }
            let used = SystemTime::UNIX_EPOCH
                + Duration::from_secs(u64::try_from(about.st_mtime).unwrap_or(0))
                + Duration::from_nanos(about.st_mtime_nsec);
            if !is_unfinished {
                files.push(Listed {
                    name: name.to_owned(),
                    bytes: u64::try_from(about.st_size).unwrap_or(0),
                    used,
                });
            } else if used.elapsed().is_ok_and(|age| age > LEFT_BEHIND) {
                self.remove(name)?;
            }
        }
        Ok(files)
    }
}

/// Whether only this user, or root, can have written something.
fn trusted(owner: u32, mode: u32) -> Result<(), String> {
    let me = rustix::process::geteuid().as_raw();
    if owner != me && owner != 0 {
        return Err(format!("it belongs to the user {owner}, and this is {me}"));
    }
    if mode & WRITABLE_BY_OTHERS != 0 {
        let mode = mode & 0o7777;
        return Err(format!("others may write to it (mode {mode:o})"));
    }
    Ok(())
}
