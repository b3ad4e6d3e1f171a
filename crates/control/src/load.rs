//! A file, or its text, to a site.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use weir_model::Site;
use weir_model::limits::CONFIG_BYTES_MAX;

use crate::file::SiteText;
use crate::lower::lowered;
use crate::problem::{Problem, Problems, Refusal, Severity, Source, Span};
use crate::shape::{ModuleFiles, Placed, Reader, Shape};
use crate::yaml;

/// A configuration that can be served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loaded {
    /// What the operator wants.
    pub site: Site,
    /// What is probably not meant, in the order of the file.
    pub warnings: Vec<Problem>,
}

/// Reads a configuration file.
///
/// # Errors
/// All that is wrong with it, each with its place; or why it cannot be read.
pub fn load(path: &Path) -> Result<Loaded, Problems> {
    load_with(path, ModuleFiles::Built)
}

/// Reads a configuration file whose modules are still to be built: the file of a module that says
/// how it is made need not be there.
///
/// # Errors
/// As [`load`].
pub fn load_unbuilt(path: &Path) -> Result<Loaded, Problems> {
    load_with(path, ModuleFiles::ToBeBuilt)
}

fn load_with(path: &Path, module_files: ModuleFiles) -> Result<Loaded, Problems> {
    let bytes = contents(path).map_err(|error| {
        let what = format!("cannot be read: {error}");
        single(path, "", Span::FILE, Refusal::new(what, "", ""))
    })?;
    if bytes.len() > CONFIG_BYTES_MAX {
        return Err(too_large(path));
    }
    match std::str::from_utf8(&bytes) {
        Ok(text) => parse_with(text, path, module_files),
        Err(error) => {
            let before = String::from_utf8_lossy(&bytes[..error.valid_up_to()]);
            let refusal = Refusal::new("not UTF-8", "", "a text in UTF-8");
            Err(single(path, &before, yaml::place_of(&before), refusal))
        }
    }
}

/// Reads the text of a configuration file. Paths in it start at the folder of `file`.
///
/// # Errors
/// All that is wrong with it, each with its place.
pub fn parse(text: &str, file: &Path) -> Result<Loaded, Problems> {
    parse_with(text, file, ModuleFiles::Built)
}

fn parse_with(text: &str, file: &Path, module_files: ModuleFiles) -> Result<Loaded, Problems> {
    if text.len() > CONFIG_BYTES_MAX {
        return Err(too_large(file));
    }
    let tree = yaml::compose(text).map_err(|(at, refusal)| single(file, text, at, refusal))?;
    let mut reader = Reader::new(file, text);
    reader.module_files = module_files;
    reader.check_keys(&tree);
    let read = Placed::<SiteText>::read(&tree, &mut reader);
    reader.check_names();
    let folder = file.parent().unwrap_or(Path::new(""));
    let site = read.map(|site| lowered(site, folder, &mut reader));
    reader.errors.arrange();
    reader.warnings.arrange();
    match site {
        Some(site) if reader.errors.count() == 0 => Ok(Loaded {
            site,
            warnings: reader.warnings.into_listed(),
        }),
        Some(_) | None => Err(reader.errors),
    }
}

/// The bytes of a file; one more than the limit if it is larger.
fn contents(path: &Path) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let limit = u64::try_from(CONFIG_BYTES_MAX).unwrap_or(u64::MAX);
    File::open(path)?
        .take(limit.saturating_add(1))
        .read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn too_large(file: &Path) -> Problems {
    let expected = format!("at most {} MiB", CONFIG_BYTES_MAX >> 20);
    single(
        file,
        "",
        Span::FILE,
        Refusal::new("the file is too large", "", expected),
    )
}

fn single(file: &Path, text: &str, at: Span, refusal: Refusal) -> Problems {
    let mut problems = Problems::default();
    problems.push(Source::new(file, text).problem(Severity::Error, at, "", refusal));
    problems
}
