//! Opening a map's file: what it must be, and what else it may turn out to be.

use std::fs::{DirBuilder, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::Path;
use std::time::Instant;

use redb::{Database, DatabaseError, ReadableDatabase, ReadableTable, TableHandle};
use weir_maps::MapError;
use weir_model::limits::disk as limits;

use super::{ABOUT, ENTRIES, put_number};
use crate::disk::OpenError;
use crate::disk::record::{Name, Record};

/// What this version writes. To be raised when older versions would misread a file.
const FORMAT: u64 = 1;

/// The least that a whole file has: its head, in one page.
const FILE_BYTES_MIN: u64 = 4096;

/// Opens or makes it, and shows all entries. Answers the ceiling of versions too.
pub(super) fn open(
    path: &Path,
    label: &str,
    see: &mut impl FnMut(Name, Record),
) -> Result<(Database, u64), OpenError> {
    make_folder(path)?;
    if is_absent(path)? {
        make(path, label)?;
    }
    let store = lock(path)?;
    let ceiling = check(&store, path, label)?;
    load(&store, path, see)?;
    Ok((store, ceiling))
}

/// Opens it after a failure. It must still be what it was.
pub(super) fn again(path: &Path, label: &str) -> Result<Database, MapError> {
    let store = lock(path).and_then(|store| check(&store, path, label).map(|_| store));
    store.map_err(|error| match error {
        OpenError::Io { error, .. } if super::is_full(&error) => full(path),
        error => MapError::Io(error.to_string()),
    })
}

/// There is no room for more than the file has.
pub(super) fn full(path: &Path) -> MapError {
    MapError::NoSpace {
        what: "bytes of the disk under this map",
        max: std::fs::metadata(path).map_or(0, |file| file.len()),
    }
}

fn make_folder(path: &Path) -> Result<(), OpenError> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let made = DirBuilder::new().recursive(true).mode(0o700).create(folder);
    made.map_err(|error| failed(folder, "make this folder for maps", error))
}

/// Whether there is no file yet. One that is there must be usable.
fn is_absent(path: &Path) -> Result<bool, OpenError> {
    let opened = OpenOptions::new().read(true).write(true).open(path);
    let length = match opened.and_then(|file| file.metadata()) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(true),
        Err(error) => return Err(failed(path, "open this map for reading and writing", error)),
        Ok(file) => file.len(),
    };
    if length >= FILE_BYTES_MIN {
        return Ok(false);
    }
    let (path, what) = (path.into(), format!("it has {length} bytes only"));
    Err(OpenError::Damaged { path, what })
}

/// Makes the file of a new map, under a name of its own until it is whole: what has the map's name
/// was whole once, and is never taken for a new map, however short it is.
fn make(path: &Path, label: &str) -> Result<(), OpenError> {
    let new = path.with_extension(format!("{}.new", std::process::id()));
    let removed = std::fs::remove_file(&new);
    if let Err(error) = removed.or_else(ignore(io::ErrorKind::NotFound)) {
        return Err(failed(
            &new,
            "remove what is left of an earlier start",
            error,
        ));
    }
    let opened = OpenOptions::new()
        .read(true)
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&new);
    opened.map_err(|error| failed(&new, "make the file of this map", error))?;
    let made = begin(&new, label).and_then(|()| {
        // Another process may have been faster: its file is the map then.
        let linked = std::fs::hard_link(&new, path);
        let linked = linked.or_else(ignore(io::ErrorKind::AlreadyExists));
        linked.map_err(|error| failed(path, "name the file of this map", error))
    });
    let removed = std::fs::remove_file(&new);
    made?;
    removed.map_err(|error| failed(&new, "remove the first name of this map's file", error))?;
    // That it is there must be as lasting as what is in it.
    let folder = path.parent().unwrap_or(Path::new("."));
    let synced = std::fs::File::open(folder).and_then(|folder| folder.sync_all());
    synced.map_err(|error| failed(folder, "sync this folder for maps", error))
}

fn ignore(kind: io::ErrorKind) -> impl Fn(io::Error) -> io::Result<()> {
    move |error| match error {
        error if error.kind() == kind => Ok(()),
        error => Err(error),
    }
}

/// Writes what the file is into an empty one.
fn begin(path: &Path, label: &str) -> Result<(), OpenError> {
    let begin = || -> Result<(), redb::Error> {
        let store = Database::builder().create(path)?;
        let transaction = store.begin_write()?;
        put_number(&transaction, "format", FORMAT)?;
        put_number(&transaction, "ceiling", 0)?;
        transaction
            .open_table(ABOUT)?
            .insert("map", label.as_bytes())?;
        transaction.open_table(ENTRIES)?;
        transaction.commit()?;
        Ok(store.close()?)
    };
    begin().map_err(|error| refused(path, &error))
}

fn failed(path: &Path, doing: &'static str, error: io::Error) -> OpenError {
    let path = path.into();
    OpenError::Io { path, doing, error }
}

/// Opens the store, which locks the file.
fn lock(path: &Path) -> Result<Database, OpenError> {
    let start = Instant::now();
    loop {
        let opened = Database::builder()
            .set_cache_size(limits::CACHE_BYTES)
            .set_check_integrity_on_open(true)
            .open(path);
        match opened {
            Err(DatabaseError::DatabaseAlreadyOpen) if start.elapsed() < limits::LOCK_WAIT => {
                std::thread::sleep(limits::LOCK_WAIT / 50);
            }
            opened => return opened.map_err(|error| refused(path, &error.into())),
        }
    }
}

/// Whether it is this map's, in a format that is known. Answers the ceiling of versions.
fn check(store: &Database, path: &Path, label: &str) -> Result<u64, OpenError> {
    let foreign = |found: &str| OpenError::Foreign {
        path: path.into(),
        found: found.into(),
    };
    let tables = || -> Result<Vec<String>, redb::Error> {
        let transaction = store.begin_read()?;
        let tables = transaction.list_tables()?;
        Ok(tables.map(|table| table.name().to_owned()).collect())
    };
    let tables = tables().map_err(|error| refused(path, &error))?;
    if !tables.iter().any(|table| table == ABOUT.name()) {
        return Err(foreign(&format!(
            "a redb database with {}",
            tables.join(", ")
        )));
    }
    let about = |what: &str| -> Result<Option<Vec<u8>>, redb::Error> {
        let about = store.begin_read()?.open_table(ABOUT)?;
        Ok(about.get(what)?.map(|value| value.value().to_vec()))
    };
    let number = |what: &str| {
        let bytes = about(what).map_err(|error| refused(path, &error))?;
        let bytes = bytes.and_then(|bytes| bytes.try_into().ok());
        bytes
            .map(u64::from_le_bytes)
            .ok_or_else(|| foreign("a redb database that says nothing of its format"))
    };
    let found = number("format")?;
    if found != FORMAT {
        let (path, expected) = (path.into(), FORMAT);
        return Err(OpenError::Newer {
            path,
            found,
            expected,
        });
    }
    let map = about("map").map_err(|error| refused(path, &error))?;
    let map = String::from_utf8_lossy(&map.unwrap_or_default()).into_owned();
    if map != label {
        return Err(OpenError::OtherMap {
            path: path.into(),
            found: map,
            expected: label.into(),
        });
    }
    number("ceiling")
}

fn load(
    store: &Database,
    path: &Path,
    see: &mut impl FnMut(Name, Record),
) -> Result<(), OpenError> {
    let damaged = |what: String| OpenError::Damaged {
        path: path.into(),
        what,
    };
    let open = || -> Result<_, redb::Error> { Ok(store.begin_read()?.open_table(ENTRIES)?) };
    let table = open().map_err(|error| refused(path, &error))?;
    let entries = table.iter();
    for entry in entries.map_err(|error| refused(path, &error.into()))? {
        let (key, value) = entry.map_err(|error| refused(path, &error.into()))?;
        let record = Record::decode(key.value(), value.value());
        let record = record.ok_or_else(|| {
            let key = key.value().escape_ascii();
            damaged(format!("the entry \"{key}\" has a wrong check sum"))
        })?;
        see(key.value().into(), record);
    }
    Ok(())
}

/// What the store's errors mean at opening.
fn refused(path: &Path, error: &redb::Error) -> OpenError {
    let path = path.to_path_buf();
    match error {
        redb::Error::DatabaseAlreadyOpen => OpenError::Locked(path),
        redb::Error::Io(error) if error.kind() == io::ErrorKind::InvalidData => {
            let found = "it is no redb database".into();
            OpenError::Foreign { path, found }
        }
        redb::Error::Io(error) => OpenError::Io {
            path,
            doing: "open this map",
            error: error.raw_os_error().map_or_else(
                || io::Error::new(error.kind(), error.to_string()),
                io::Error::from_raw_os_error,
            ),
        },
        redb::Error::UpgradeRequired(version) => OpenError::Foreign {
            path,
            found: format!("a redb database of the old format {version}"),
        },
        error => OpenError::Damaged {
            path,
            what: error.to_string(),
        },
    }
}
