//! Files on a real disk: what is granted, what leads outside, what has a limit.

use std::os::unix::fs::symlink;
use std::path::Path;

use weir_model::{FileAccess, FileGrant, limits};

use super::{Errno, FileAnswer, FileCall, Files, Folders, Opening};

const READ: u64 = 1 << 1;
const WRITE: u64 = 1 << 6;

/// A folder with `inside/a.txt`, a link that stays and two that leave, beside a secret.
struct Disk {
    whole: tempfile::TempDir,
    files: Files,
}

impl Disk {
    fn new(access: FileAccess) -> Self {
        let whole = tempfile::tempdir().unwrap();
        let root = whole.path();
        std::fs::create_dir_all(root.join("granted/inside")).unwrap();
        std::fs::write(root.join("granted/inside/a.txt"), "0123456789").unwrap();
        std::fs::write(root.join("secret.txt"), "secret").unwrap();
        symlink("inside/a.txt", root.join("granted/stays")).unwrap();
        symlink("../secret.txt", root.join("granted/leaves")).unwrap();
        symlink(root, root.join("granted/out")).unwrap();
        let grant = FileGrant {
            host: root.join("granted"),
            guest: "/data".to_owned(),
            access,
        };
        let files = Files::new(Folders::open(&[grant]).unwrap());
        Self { whole, files }
    }

    fn root(&self) -> &Path {
        self.whole.path()
    }

    fn ask(&mut self, call: FileCall<'_>) -> Result<Vec<u8>, Errno> {
        let FileAnswer(outcome) = self.files.answer(&call);
        outcome.map(|bytes| bytes.to_vec())
    }

    fn open(&mut self, path: &str, rights: u64, open: u32) -> Result<u32, Errno> {
        let opening = Opening {
            lookup: 1,
            open,
            rights,
            flags: 0,
        };
        let call = FileCall::Open {
            folder: 3,
            path: path.as_bytes(),
            opening,
        };
        self.ask(call)
            .map(|fd| u32::from_le_bytes(fd.try_into().unwrap()))
    }

    fn read(&mut self, fd: u32, max: u32, at: Option<u64>) -> Result<String, Errno> {
        self.ask(FileCall::Read { fd, max, at })
            .map(|bytes| String::from_utf8(bytes).unwrap())
    }

    fn write(&mut self, fd: u32, bytes: &[u8], at: Option<u64>) -> Result<Vec<u8>, Errno> {
        self.ask(FileCall::Write { fd, bytes, at })
    }
}

#[test]
fn granted_files_are_read() {
    let mut disk = Disk::new(FileAccess::Read);
    assert_eq!(disk.ask(FileCall::Folder { fd: 3 }), Ok(b"/data".to_vec()));
    assert_eq!(
        disk.ask(FileCall::Folder { fd: 4 }),
        Err(Errno::BadDescriptor)
    );
    for path in ["inside/a.txt", "stays", "./inside/../inside/a.txt"] {
        let fd = disk.open(path, READ, 0).unwrap();
        assert_eq!(disk.read(fd, 4, None).as_deref(), Ok("0123"), "{path}");
        assert_eq!(disk.read(fd, 100, None).as_deref(), Ok("456789"));
        assert_eq!(disk.read(fd, 100, None).as_deref(), Ok(""));
        assert_eq!(disk.read(fd, 2, Some(3)).as_deref(), Ok("34"));
        let begin = FileCall::Seek {
            fd,
            offset: -2,
            whence: 2,
        };
        assert_eq!(disk.ask(begin), Ok(8u64.to_le_bytes().to_vec()));
        assert_eq!(disk.read(fd, 100, None).as_deref(), Ok("89"));
        assert_eq!(disk.ask(FileCall::Close { fd }), Ok(Vec::new()));
        assert_eq!(disk.ask(FileCall::Close { fd }), Err(Errno::BadDescriptor));
    }
}

#[test]
fn no_path_leads_outside() {
    for access in [FileAccess::Read, FileAccess::Write] {
        let mut disk = Disk::new(access);
        let absolute = disk.root().join("secret.txt");
        for path in [
            "../secret.txt",
            "inside/../../secret.txt",
            "leaves",
            "out/secret.txt",
            "out",
            "..",
            "/etc/passwd",
            absolute.to_str().unwrap(),
        ] {
            assert_eq!(disk.open(path, READ, 0), Err(Errno::NotCapable), "{path}");
            let status = FileCall::StatusOf {
                folder: 3,
                path: path.as_bytes(),
                follows: true,
            };
            assert_eq!(disk.ask(status), Err(Errno::NotCapable), "{path}");
        }
    }
}

#[test]
fn writing_needs_its_own_grant() {
    let mut disk = Disk::new(FileAccess::Read);
    for (rights, open) in [(WRITE, 0), (READ | WRITE, 0), (READ, 1), (READ, 8)] {
        let opened = disk.open("inside/a.txt", rights, open);
        assert_eq!(opened, Err(Errno::ReadOnly), "{rights} {open}");
    }
    assert_eq!(disk.open("new.txt", WRITE, 1), Err(Errno::ReadOnly));
    let fd = disk.open("inside/a.txt", READ, 0).unwrap();
    assert_eq!(disk.write(fd, b"x", None), Err(Errno::NotCapable));
    let kept = std::fs::read_to_string(disk.root().join("granted/inside/a.txt"));
    assert_eq!(kept.unwrap(), "0123456789");

    let mut disk = Disk::new(FileAccess::Write);
    let fd = disk.open("new.txt", READ | WRITE, 1).unwrap();
    assert!(disk.write(fd, b"hello", None).is_ok());
    assert!(disk.write(fd, b"J", Some(0)).is_ok());
    assert_eq!(disk.read(fd, 9, Some(0)).as_deref(), Ok("Jello"));
    let made = std::fs::read_to_string(disk.root().join("granted/new.txt"));
    assert_eq!(made.unwrap(), "Jello");
    assert_eq!(disk.open("new.txt", WRITE, 1 | 4), Err(Errno::Exists));
}

#[test]
fn files_do_not_grow_beyond_their_limit() {
    let mut disk = Disk::new(FileAccess::Write);
    let fd = disk.open("new.txt", WRITE, 1).unwrap();
    let end = limits::GUEST_FILE_BYTES_MAX;
    assert!(disk.write(fd, b"x", Some(end - 1)).is_ok());
    assert_eq!(disk.write(fd, b"x", Some(end)), Err(Errno::TooLarge));
    assert_eq!(disk.write(fd, b"x", Some(u64::MAX)), Err(Errno::TooLarge));
    let behind = FileCall::Seek {
        fd,
        offset: 0,
        whence: 2,
    };
    disk.ask(behind).unwrap();
    assert_eq!(disk.write(fd, b"x", None), Err(Errno::TooLarge));
}

#[test]
fn open_files_have_a_limit() {
    let mut disk = Disk::new(FileAccess::Read);
    for _ in 0..limits::GUEST_FILES_OPEN_MAX {
        disk.open("inside/a.txt", READ, 0).unwrap();
    }
    let refused = disk.open("inside/a.txt", READ, 0);
    assert_eq!(refused, Err(Errno::TooManyOpen));
    disk.ask(FileCall::Close { fd: 4 }).unwrap();
    assert_eq!(disk.open("inside/a.txt", READ, 0), Ok(4));
}

#[test]
fn pipes_are_not_opened_and_nobody_waits_for_them() {
    let mut disk = Disk::new(FileAccess::Read);
    let path = disk.root().join("granted/pipe");
    let status = std::process::Command::new("mkfifo").arg(&path).status();
    assert!(status.unwrap().success());
    assert_eq!(disk.open("pipe", READ, 0), Err(Errno::NotSupported));
}

#[test]
fn folders_are_listed_in_steps() {
    let mut disk = Disk::new(FileAccess::Read);
    let names = |bytes: &[u8]| {
        let mut names = Vec::new();
        let mut rest = bytes;
        while rest.len() >= 24 {
            let length = u32::from_le_bytes(rest[16..20].try_into().unwrap()) as usize;
            names.push(String::from_utf8(rest[24..24 + length].to_vec()).unwrap());
            rest = &rest[24 + length..];
        }
        names
    };
    let whole = FileCall::List {
        fd: 3,
        cookie: 0,
        max: 4096,
    };
    let listed = disk.ask(whole).unwrap();
    let expected = [".", "..", "inside", "leaves", "out", "stays"];
    assert_eq!(names(&listed), expected);
    let later = FileCall::List {
        fd: 3,
        cookie: 4,
        max: 4096,
    };
    assert_eq!(names(&disk.ask(later).unwrap()), ["out", "stays"]);
    let cut = FileCall::List {
        fd: 3,
        cookie: 0,
        max: 30,
    };
    assert_eq!(disk.ask(cut).unwrap().len(), 30);
    let fd = disk.open("inside", READ, 2).unwrap();
    let inner = FileCall::List {
        fd,
        cookie: 2,
        max: 4096,
    };
    assert_eq!(names(&disk.ask(inner).unwrap()), ["a.txt"]);
    let file = disk.open("inside/a.txt", READ, 0).unwrap();
    let wrong = FileCall::List {
        fd: file,
        cookie: 0,
        max: 4096,
    };
    assert_eq!(disk.ask(wrong), Err(Errno::NotFolder));
}

#[test]
fn links_are_followed_only_if_asked() {
    let mut disk = Disk::new(FileAccess::Read);
    let call = |lookup| FileCall::Open {
        folder: 3,
        path: b"stays",
        opening: Opening {
            lookup,
            rights: READ,
            ..Opening::default()
        },
    };
    assert_eq!(disk.ask(call(0)), Err(Errno::Loop));
    assert!(disk.ask(call(1)).is_ok());
}

#[test]
fn status_tells_kind_and_size() {
    let mut disk = Disk::new(FileAccess::Read);
    let status = |disk: &mut Disk, path: &[u8], follows| {
        let bytes = disk
            .ask(FileCall::StatusOf {
                folder: 3,
                path,
                follows,
            })
            .unwrap();
        assert_eq!(bytes.len(), 64);
        let size = u64::from_le_bytes(bytes[32..40].try_into().unwrap());
        (bytes[16], size)
    };
    assert_eq!(status(&mut disk, b"inside/a.txt", true), (4, 10));
    assert_eq!(status(&mut disk, b"inside", true).0, 3);
    assert_eq!(status(&mut disk, b"leaves", false).0, 7);
    assert_eq!(disk.ask(FileCall::Facts { fd: 3 }).unwrap()[0], 3);
    assert_eq!(
        disk.ask(FileCall::Facts { fd: 9 }),
        Err(Errno::BadDescriptor)
    );
}
