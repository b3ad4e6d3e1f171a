//! `weir capsule`: looks into capsules. And where the module of a capsule is.

use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};

use weir_capsule::file::EXTENSION;
use weir_capsule::read::Item;
use weir_capsule::replay::hex;
use weir_capsule::show::{ShownHead, ShownRecord};
use weir_capsule::{Head, ReadError, Reader};
use weir_proxy::gateway::read_module;

use crate::cli::{CapsuleAction, CapsuleArguments, ShowCapsule};
use crate::failure::{Failure, Outcome};
use crate::terminal::{Terminal, printable};

/// A capsule that is read from a file.
pub(super) type FileReader = Reader<BufReader<File>>;

/// Runs the action that the arguments ask for.
pub(super) fn run(
    arguments: &CapsuleArguments,
    terminal: &mut Terminal<'_>,
) -> Result<Outcome, Failure> {
    match &arguments.action {
        CapsuleAction::Show(arguments) => show(arguments, terminal),
    }
}

/// Opens a capsule.
pub(super) fn open(path: &Path) -> Result<FileReader, ReadError> {
    let file = File::open(path).map_err(weir_capsule::file::FileError::from)?;
    Reader::open(BufReader::new(file))
}

/// Prints what a capsule holds, record by record.
fn show(arguments: &ShowCapsule, terminal: &mut Terminal<'_>) -> Result<Outcome, Failure> {
    let path = &arguments.capsule;
    let failed = |error: ReadError| Failure::Capsule {
        path: path.clone(),
        error: error.to_string(),
    };
    let mut reader = open(path).map_err(failed)?;
    let head = ShownHead(reader.head()).to_string();
    terminal.print(&format!("{}\n", printable_lines(&head)))?;
    while let Some(item) = reader.next_item().map_err(failed)? {
        let line = match item {
            Item::Record(record) => printable(&ShownRecord(&record).to_string()).into_owned(),
            Item::Image(image) => {
                let bytes: u64 = image.memories.iter().map(|memory| memory.bytes).sum();
                format!("-- here is an image of the VM, of {bytes} bytes of memory")
            }
        };
        if !terminal.tell(&format!("{line}\n"))? {
            return Ok(Outcome::Fine);
        }
    }
    let counts = reader.counts();
    let (events, calls) = (counts.events, counts.calls);
    terminal.print(&format!("\n{events} events, {calls} calls\n"))?;
    Ok(Outcome::Fine)
}

fn printable_lines(text: &str) -> String {
    text.lines().fold(String::new(), |mut page, line| {
        page += &printable(line);
        page += "\n";
        page
    })
}

/// The module that a capsule is to run with: the one that was named, or its own, which lies beside it.
pub(super) fn module_of(
    capsule: &Path,
    head: &Head,
    named: Option<&Path>,
) -> Result<(PathBuf, Vec<u8>), String> {
    let sha256 = hex(&head.module.sha256);
    let path = named.map_or_else(
        || capsule.with_file_name(format!("{sha256}.wasm")),
        Path::to_path_buf,
    );
    match read_module(&path) {
        Ok(bytes) => Ok((path, bytes)),
        Err(error) if named.is_none() => Err(format!(
            "its module {:?} is not beside it, as {} ({error}): name it with --module",
            head.module.name,
            path.display()
        )),
        Err(error) => Err(format!("cannot read {}: {error}", path.display())),
    }
}

/// The capsules behind some paths: files as they are, folders by what they hold, by name.
pub(super) fn capsules_of(paths: &[PathBuf]) -> Result<Vec<PathBuf>, Failure> {
    let mut capsules = Vec::new();
    for path in paths {
        let about = std::fs::metadata(path).map_err(|error| Failure::read(path, error))?;
        if !about.is_dir() {
            capsules.push(path.clone());
            continue;
        }
        let entries = std::fs::read_dir(path).map_err(|error| Failure::read(path, error))?;
        let mut found = Vec::new();
        for entry in entries {
            let file = entry.map_err(|error| Failure::read(path, error))?.path();
            if file.extension().is_some_and(|end| end == EXTENSION) {
                found.push(file);
            }
        }
        found.sort();
        capsules.append(&mut found);
    }
    Ok(capsules)
}
