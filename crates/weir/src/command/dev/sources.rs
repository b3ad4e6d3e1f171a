//! What is watched, and what it looked like.
//!
//! Files are looked at again and again: it works on every file system and in every container, needs
//! no permission, and sees an editor that replaces a file as well as one that writes into it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use weir_model::limits::dev::{SOURCE_DEPTH_MAX, SOURCES_MAX};
use weir_model::{Build, ModuleSource, Site};

/// Folders that build tools write.
const TOOLS: [&str; 9] = [
    "__pycache__",
    "bin",
    "build",
    "dist",
    "node_modules",
    "obj",
    "out",
    "target",
    "venv",
];
/// Files that build tools write.
const LOCKS: [&str; 3] = ["Cargo.lock", "go.sum", "package-lock.json"];

/// Files and folders, and what is to be done about their changes.
#[derive(Debug, Default)]
pub(super) struct Watched {
    groups: Vec<Group>,
    /// What the builds write.
    outputs: BTreeSet<PathBuf>,
}

#[derive(Debug)]
struct Group {
    roots: Vec<PathBuf>,
    /// What is to be built again; `None`: nothing, only the gateway is to be started.
    build: Option<Build>,
}

/// What the watched files looked like, by group.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Snapshot {
    groups: Vec<BTreeMap<PathBuf, Stamp>>,
    is_cut: bool,
}

/// Tells two states of a file apart.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Stamp {
    modified: Option<SystemTime>,
    bytes: u64,
    inode: u64,
}

impl Watched {
    /// One file.
    pub(super) fn file(path: &Path) -> Self {
        let group = Group {
            roots: vec![path.to_owned()],
            build: None,
        };
        Self {
            groups: vec![group],
            outputs: BTreeSet::new(),
        }
    }

    /// And what the modules of a site are made of, or their files.
    pub(super) fn and(mut self, site: &Site) -> Self {
        for module in site.modules.values() {
            let ModuleSource::File(file) = &module.source;
            let Some(build) = &module.build else {
                self.groups.push(Group {
                    roots: vec![file.clone()],
                    build: None,
                });
                continue;
            };
            self.outputs.insert(file.clone());
            let roots = if build.watch.is_empty() {
                vec![build.folder.clone()]
            } else {
                build.watch.clone()
            };
            self.groups.push(Group {
                roots,
                build: Some(build.clone()),
            });
        }
        self
    }

    pub(super) fn snapshot(&self) -> Snapshot {
        let mut left = SOURCES_MAX;
        let look = |group: &Group| {
            let mut found = BTreeMap::new();
            for root in &group.roots {
                self.look(root, SOURCE_DEPTH_MAX, &mut left, &mut found);
            }
            found
        };
        let groups = self.groups.iter().map(look).collect();
        Snapshot {
            groups,
            is_cut: left == 0,
        }
    }

    /// The builds whose sources differ.
    pub(super) fn builds_of(
        &self,
        seen: &Snapshot,
        now: &Snapshot,
    ) -> impl Iterator<Item = &Build> {
        let pairs = seen.groups.iter().zip(&now.groups);
        let differ: Vec<bool> = pairs.map(|(seen, now)| seen != now).collect();
        let groups = self.groups.iter().zip(differ);
        groups.filter_map(|(group, differs)| group.build.as_ref().filter(|_| differs))
    }

    /// What cannot be looked at is not there.
    fn look(
        &self,
        path: &Path,
        depth: usize,
        left: &mut usize,
        found: &mut BTreeMap<PathBuf, Stamp>,
    ) {
        let here = if path.as_os_str().is_empty() {
            Path::new(".")
        } else {
            path
        };
        let Ok(metadata) = fs::metadata(here) else {
            return;
        };
        if *left == 0 || self.outputs.contains(path) {
            return;
        }
        *left -= 1;
        if metadata.is_file() {
            found.insert(path.to_owned(), Stamp::of(&metadata));
            return;
        }
        let Ok(entries) = fs::read_dir(here) else {
            return;
        };
        if depth == 0 {
            return;
        }
        for entry in entries.flatten() {
            let name = entry.file_name();
            if name.to_str().is_none_or(is_source) {
                self.look(&path.join(name), depth - 1, left, found);
            }
        }
    }
}

/// Whether a name in a watched folder may be that of a source.
fn is_source(name: &str) -> bool {
    !name.starts_with('.')
        && !name.ends_with('~')
        && !TOOLS.contains(&name)
        && !LOCKS.contains(&name)
}

impl Stamp {
    fn of(metadata: &Metadata) -> Self {
        Self {
            modified: metadata.modified().ok(),
            bytes: metadata.len(),
            inode: metadata.ino(),
        }
    }
}

impl Snapshot {
    /// The first group as it was, the others as they are now.
    pub(super) fn and(mut self, mut now: Self) -> Self {
        let rest = now
            .groups
            .split_off(self.groups.len().min(now.groups.len()));
        self.groups.extend(rest);
        self.is_cut |= now.is_cut;
        self
    }

    /// Whether there was more to look at than there may be.
    pub(super) const fn is_cut(&self) -> bool {
        self.is_cut
    }

    /// A file that differs.
    pub(super) fn first_difference<'a>(&'a self, other: &'a Self) -> Option<&'a Path> {
        let pairs = self.groups.iter().zip(&other.groups);
        pairs.into_iter().find_map(|(one, other)| {
            let differs = |path: &&PathBuf| one.get(*path) != other.get(*path);
            let path = one.keys().chain(other.keys()).find(differs);
            path.map(PathBuf::as_path)
        })
    }
}

#[cfg(test)]
mod tests {
    use weir_model::Name;

    use super::*;

    fn site(folder: &Path, watch: &[&str]) -> Site {
        let text = format!(
            "listeners: [{{ address: 127.0.0.1:0, routes: [{{ echo: true }}] }}]\n\
             modules:\n  m: {{ file: m.wasm, build: {{ command: make, watch: {watch:?} }} }}\n"
        );
        let file = folder.join("weir.yaml");
        fs::write(&file, text).expect("the folder can be written");
        weir_control::load_unbuilt(&file).expect("a fine text").site
    }

    fn write(folder: &Path, name: &str) {
        let path = folder.join(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("it can be made");
        fs::write(path, name).expect("the folder can be written");
    }

    fn check(watch: &[&str], name: &str, is_seen: bool) {
        let folder = tempfile::TempDir::new().expect("a folder can be made");
        let folder = folder.path();
        let site = site(folder, watch);
        let watched = Watched::file(&folder.join("weir.yaml")).and(&site);
        let before = watched.snapshot();
        write(folder, name);
        let after = watched.snapshot();
        assert_eq!(before != after, is_seen, "{watch:?} {name}");
        let expected = is_seen.then(|| folder.join(name));
        assert_eq!(before.first_difference(&after), expected.as_deref());
        let build = site.modules[&Name::from("m")].build.as_ref();
        let concerned: Vec<_> = watched.builds_of(&before, &after).collect();
        assert_eq!(
            concerned,
            build.into_iter().filter(|_| is_seen).collect::<Vec<_>>()
        );
    }

    #[test]
    fn sources_are_watched_and_what_tools_write_is_not() {
        check(&[], "a.rs", true);
        check(&[], "src/deep/a.rs", true);
        check(&[], "m.wasm", false);
        check(&[], "target/debug/a.rs", false);
        check(&[], ".git/index", false);
        check(&[], "Cargo.lock", false);
        check(&["src", "Makefile"], "src/deep/a.rs", true);
        check(&["src", "Makefile"], "Makefile", true);
        check(&["src", "Makefile"], "notes.md", false);
        check(&["build"], "build/a.rs", true);
    }
}
