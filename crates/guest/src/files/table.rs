//! The open files of one VM.

use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::path::Path;
use std::sync::Arc;
use std::time::UNIX_EPOCH;

use bytes::{BufMut as _, Bytes, BytesMut};
use cap_std::fs::OpenOptionsExt as _;
use cap_std::fs::{Dir, File, FileExt as _, FileType, Metadata, MetadataExt as _, OpenOptions};
use weir_model::{FileAccess, limits};

use super::{Errno, FIRST_FOLDER, FileAnswer, FileCall, Folders, Opening};

const CREATE: u32 = 1;
const FOLDER: u32 = 2;
const EXCLUSIVE: u32 = 4;
const TRUNCATE: u32 = 8;
const FOLLOW: u32 = 1;
const APPEND: u32 = 1;
const RIGHT_READ: u64 = 1 << 1;
const RIGHT_WRITE: u64 = 1 << 6;
/// Reading, seeking, telling, status; listing and opening in folders.
const RIGHTS_OF_READERS: u64 = RIGHT_READ | 1 << 2 | 1 << 5 | 1 << 13 | 1 << 14 | 1 << 18 | 1 << 21;
const RIGHTS_OF_WRITERS: u64 = RIGHT_WRITE | 1 << 10;
/// Bytes before the name of an entry of a folder.
const ENTRY_BYTES: usize = 24;

type Outcome = Result<Bytes, Errno>;

/// The open files of one VM, and the folders that it is granted.
#[derive(Debug, Default)]
pub struct Files {
    folders: Folders,
    open: Vec<Option<Open>>,
}

#[derive(Debug)]
enum Open {
    File { file: File, used: Use },
    Folder { dir: Arc<Dir>, access: FileAccess },
}

/// What a file was opened for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Use {
    Read,
    Write,
    Append,
}

/// A folder behind a descriptor.
struct Place {
    dir: Arc<Dir>,
    access: FileAccess,
}

impl Files {
    /// Nothing is open but the folders.
    #[must_use]
    pub fn new(folders: Folders) -> Self {
        Self {
            folders,
            open: Vec::new(),
        }
    }

    /// Answers one call. It waits for the disk.
    pub fn answer(&mut self, call: &FileCall<'_>) -> FileAnswer {
        FileAnswer(self.outcome(call))
    }

    fn outcome(&mut self, call: &FileCall<'_>) -> Outcome {
        match *call {
            FileCall::Folder { fd } => {
                let folder = self.granted(fd).ok_or(Errno::BadDescriptor)?;
                Ok(Bytes::copy_from_slice(folder.guest.as_bytes()))
            }
            FileCall::Facts { fd } => self.facts(fd),
            FileCall::Status { fd } => self.status(fd),
            FileCall::StatusOf {
                folder,
                path,
                follows,
            } => {
                let (dir, path) = (self.place(folder)?.dir, text(path)?);
                let metadata = if follows {
                    dir.metadata(path)?
                } else {
                    dir.symlink_metadata(path)?
                };
                Ok(status_of(&metadata))
            }
            FileCall::Open {
                folder,
                path,
                opening,
            } => self.open(folder, path, opening),
            FileCall::Read { fd, max, at } => self.read(fd, max, at),
            FileCall::Write { fd, bytes, at } => self.write(fd, bytes, at),
            FileCall::Seek { fd, offset, whence } => {
                let (file, _) = self.file(fd)?;
                let place = match whence {
                    0 => SeekFrom::Start(u64::try_from(offset).map_err(|_| Errno::Invalid)?),
                    1 => SeekFrom::Current(offset),
                    2 => SeekFrom::End(offset),
                    _ => return Err(Errno::Invalid),
                };
                Ok(number(file.seek(place)?))
            }
            FileCall::List { fd, cookie, max } => list(&self.place(fd)?.dir, cookie, max),
            FileCall::Close { fd } => {
                if self.granted(fd).is_some() {
                    return Err(Errno::NotSupported);
                }
                let slot = self.slot(fd).ok_or(Errno::BadDescriptor)?;
                slot.take()
                    .map(|_| Bytes::new())
                    .ok_or(Errno::BadDescriptor)
            }
        }
    }

    fn granted(&self, fd: u32) -> Option<&super::Folder> {
        let index = fd.checked_sub(FIRST_FOLDER)? as usize;
        self.folders.list().get(index)
    }

    /// The place of a descriptor that the guest opened.
    fn slot(&mut self, fd: u32) -> Option<&mut Option<Open>> {
        let index = fd.checked_sub(FIRST_FOLDER)? as usize;
        let index = index.checked_sub(self.folders.list().len())?;
        self.open.get_mut(index)
    }

    fn place(&mut self, fd: u32) -> Result<Place, Errno> {
        if let Some(folder) = self.granted(fd) {
            return Ok(Place {
                dir: Arc::clone(&folder.dir),
                access: folder.access,
            });
        }
        match self.slot(fd) {
            Some(Some(Open::Folder { dir, access })) => Ok(Place {
                dir: Arc::clone(dir),
                access: *access,
            }),
            Some(Some(Open::File { .. })) => Err(Errno::NotFolder),
            Some(None) | None => Err(Errno::BadDescriptor),
        }
    }

    fn file(&mut self, fd: u32) -> Result<(&mut File, Use), Errno> {
        if self.granted(fd).is_some() {
            return Err(Errno::IsFolder);
        }
        match self.slot(fd) {
            Some(Some(Open::File { file, used })) => Ok((file, *used)),
            Some(Some(Open::Folder { .. })) => Err(Errno::IsFolder),
            Some(None) | None => Err(Errno::BadDescriptor),
        }
    }

    fn facts(&mut self, fd: u32) -> Outcome {
        let (kind, rights) = match self.file(fd) {
            Ok((_, Use::Write | Use::Append)) => (4, RIGHTS_OF_READERS | RIGHTS_OF_WRITERS),
            Ok((_, Use::Read)) => (4, RIGHTS_OF_READERS),
            Err(Errno::IsFolder) => match self.place(fd)?.access {
                FileAccess::Read => (3, RIGHTS_OF_READERS),
                FileAccess::Write => (3, RIGHTS_OF_READERS | RIGHTS_OF_WRITERS),
            },
            Err(errno) => return Err(errno),
        };
        let mut facts = BytesMut::zeroed(24);
        facts[0] = kind;
        facts[8..16].copy_from_slice(&u64::to_le_bytes(rights));
        facts[16..24].copy_from_slice(&u64::to_le_bytes(rights));
        Ok(facts.freeze())
    }

    fn status(&mut self, fd: u32) -> Outcome {
        let metadata = match self.file(fd) {
            Ok((file, _)) => file.metadata()?,
            Err(Errno::IsFolder) => self.place(fd)?.dir.dir_metadata()?,
            Err(errno) => return Err(errno),
        };
        Ok(status_of(&metadata))
    }

    fn open(&mut self, folder: u32, path: &[u8], opening: Opening) -> Outcome {
        let place = self.place(folder)?;
        let path = text(path)?;
        let in_use = self.open.iter().flatten().count();
        if in_use >= limits::GUEST_FILES_OPEN_MAX {
            return Err(Errno::TooManyOpen);
        }
        let opened = open_in(&place, path, opening)?;
        let free = self.open.iter().position(Option::is_none);
        let index = free.unwrap_or_else(|| {
            self.open.push(None);
            self.open.len() - 1
        });
        self.open[index] = Some(opened);
        let index = index + self.folders.list().len();
        let fd = u32::try_from(index).map_err(|_| Errno::TooManyOpen)? + FIRST_FOLDER;
        Ok(Bytes::copy_from_slice(&fd.to_le_bytes()))
    }

    fn read(&mut self, fd: u32, max: u32, at: Option<u64>) -> Outcome {
        let (file, _) = self.file(fd)?;
        let mut bytes = vec![0; (max as usize).min(limits::GUEST_FILE_STEP_BYTES_MAX)];
        let count = match at {
            Some(at) => file.read_at(&mut bytes, at)?,
            None => file.read(&mut bytes)?,
        };
        bytes.truncate(count);
        Ok(bytes.into())
    }

    fn write(&mut self, fd: u32, bytes: &[u8], at: Option<u64>) -> Outcome {
        let (file, use_of) = self.file(fd)?;
        let is_appended = match use_of {
            Use::Read => return Err(Errno::NotCapable),
            Use::Write => false,
            Use::Append => true,
        };
        let bytes = &bytes[..bytes.len().min(limits::GUEST_FILE_STEP_BYTES_MAX)];
        let begin = match (at, is_appended) {
            (Some(at), _) => at,
            (None, false) => file.stream_position()?,
            (None, true) => file.metadata()?.len(),
        };
        if begin.saturating_add(bytes.len() as u64) > limits::GUEST_FILE_BYTES_MAX {
            return Err(Errno::TooLarge);
        }
        let count = match at {
            Some(at) => file.write_at(bytes, at)?,
            None => file.write(bytes)?,
        };
        let count = u32::try_from(count).unwrap_or(u32::MAX);
        Ok(Bytes::copy_from_slice(&count.to_le_bytes()))
    }
}

fn text(path: &[u8]) -> Result<&Path, Errno> {
    let path = std::str::from_utf8(path).map_err(|_| Errno::Invalid)?;
    if path.is_empty() {
        return Err(Errno::NotFound);
    }
    if path.contains('\0') {
        return Err(Errno::Invalid);
    }
    Ok(Path::new(path))
}

fn open_in(place: &Place, path: &Path, opening: Opening) -> Result<Open, Errno> {
    let wants_write = opening.rights & RIGHT_WRITE != 0 || opening.open & (CREATE | TRUNCATE) != 0;
    let is_folder = opening.open & FOLDER != 0;
    if wants_write && !is_folder && place.access == FileAccess::Read {
        return Err(Errno::ReadOnly);
    }
    let wants_write = wants_write && !is_folder;
    let mut options = OpenOptions::new();
    options
        .read(opening.rights & RIGHT_READ != 0 || !wants_write)
        .write(wants_write)
        .create(opening.open & CREATE != 0 && wants_write)
        .create_new(opening.open & CREATE != 0 && opening.open & EXCLUSIVE != 0 && wants_write)
        .truncate(opening.open & TRUNCATE != 0 && wants_write)
        // Pipes and devices would make the worker wait before they can be told from files.
        .custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY);
    let used = match (wants_write, opening.flags & APPEND != 0) {
        (false, _) => Use::Read,
        (true, false) => Use::Write,
        (true, true) => Use::Append,
    };
    options.append(used == Use::Append);
    let is_link = |path| {
        let metadata = place.dir.symlink_metadata(path);
        metadata.is_ok_and(|metadata| metadata.file_type().is_symlink())
    };
    if opening.lookup & FOLLOW == 0 && is_link(path) {
        return Err(Errno::Loop);
    }
    let file = place.dir.open_with(path, &options)?;
    let kind = file.metadata()?.file_type();
    if kind.is_dir() {
        let dir = Dir::from_std_file(file.into_std());
        return Ok(Open::Folder {
            dir: Arc::new(dir),
            access: place.access,
        });
    }
    if is_folder {
        return Err(Errno::NotFolder);
    }
    if !kind.is_file() {
        return Err(Errno::NotSupported);
    }
    Ok(Open::File { file, used })
}

fn number(value: u64) -> Bytes {
    Bytes::copy_from_slice(&value.to_le_bytes())
}

fn kind_of(kind: FileType) -> u8 {
    if kind.is_dir() {
        3
    } else if kind.is_file() {
        4
    } else if kind.is_symlink() {
        7
    } else {
        0
    }
}

/// WASI's `filestat`. The number of the device is the host's business.
fn status_of(metadata: &Metadata) -> Bytes {
    let mut status = BytesMut::with_capacity(64);
    status.put_u64_le(0);
    status.put_u64_le(metadata.ino());
    status.put_u8(kind_of(metadata.file_type()));
    status.put_bytes(0, 7);
    status.put_u64_le(metadata.nlink());
    status.put_u64_le(metadata.len());
    let nanos = |time: std::io::Result<cap_std::time::SystemTime>| {
        let since = time.ok().map(cap_std::time::SystemTime::into_std);
        let since = since.and_then(|time| time.duration_since(UNIX_EPOCH).ok());
        u64::try_from(since.unwrap_or_default().as_nanos()).unwrap_or(u64::MAX)
    };
    status.put_u64_le(nanos(metadata.accessed()));
    status.put_u64_le(nanos(metadata.modified()));
    status.put_u64_le(nanos(metadata.modified()));
    status.freeze()
}

/// Entries from a place on, in the order of their names, cut where the guest's room ends.
fn list(dir: &Dir, cookie: u64, max: u32) -> Outcome {
    let mut entries: Vec<(Vec<u8>, u64, u8)> = Vec::new();
    for entry in dir.entries()?.take(limits::GUEST_FOLDER_ENTRIES_MAX) {
        let entry = entry?;
        let name = entry.file_name().into_encoded_bytes();
        let (ino, kind) = match entry.metadata() {
            Ok(metadata) => (metadata.ino(), kind_of(metadata.file_type())),
            // It is gone since.
            Err(_) => (0, 0),
        };
        entries.push((name, ino, kind));
    }
    entries.sort();
    entries.splice(0..0, [(b".".to_vec(), 0, 3), (b"..".to_vec(), 0, 3)]);
    let max = (max as usize).min(limits::GUEST_FILE_STEP_BYTES_MAX);
    let mut listed = BytesMut::new();
    let first = usize::try_from(cookie).unwrap_or(usize::MAX);
    for (index, (name, ino, kind)) in entries.iter().enumerate().skip(first) {
        if listed.len() >= max {
            break;
        }
        listed.reserve(ENTRY_BYTES + name.len());
        listed.put_u64_le(index as u64 + 1);
        listed.put_u64_le(*ino);
        listed.put_u32_le(u32::try_from(name.len()).unwrap_or(u32::MAX));
        listed.put_u8(*kind);
        listed.put_bytes(0, 3);
        listed.put_slice(name);
    }
    listed.truncate(max);
    Ok(listed.freeze())
}
