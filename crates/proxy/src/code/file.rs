//! The bytes of modules.

use std::io::Read as _;
use std::path::Path;

use weir_model::{ModuleSource, Name, Site, limits};

use crate::gateway::PrepareError;

/// The bytes of a module of the configuration.
pub(super) fn read(site: &Site, module: &Name) -> Result<Vec<u8>, PrepareError> {
    let failed = |path: &Path, error| PrepareError::Read {
        module: module.clone(),
        path: path.to_owned(),
        error,
    };
    let Some(source) = site.modules.get(module).map(|module| &module.source) else {
        let error = std::io::Error::other("the configuration has no such module");
        return Err(failed(Path::new(""), error));
    };
    let ModuleSource::File(path) = source;
    read_module(path).map_err(|error| failed(path, error))
}

/// The bytes of a module file.
///
/// # Errors
///
/// What the system says, or that it is no ordinary file or larger than
/// [`limits::MODULE_BYTES_MAX`].
pub fn read_module(path: &Path) -> std::io::Result<Vec<u8>> {
    let file = std::fs::File::open(path)?;
    let about = file.metadata()?;
    let refused = |why: String| std::io::Error::new(std::io::ErrorKind::InvalidInput, why);
    if !about.is_file() {
        return Err(refused("it is not an ordinary file".to_owned()));
    }
    if about.len() > limits::MODULE_BYTES_MAX {
        let (bytes, most) = (about.len(), limits::MODULE_BYTES_MAX);
        return Err(refused(format!(
            "it has {bytes} bytes; a module may have {most}"
        )));
    }
    let mut bytes = Vec::new();
    file.take(limits::MODULE_BYTES_MAX)
        .read_to_end(&mut bytes)?;
    Ok(bytes)
}
