//! Declarations of maps: read once, held against what is stored and against what modules were built
//! with.
//!
//! Invariant: nothing is stored and no module starts under a declaration that contradicts it.

mod error;
mod mark;

use std::collections::BTreeMap;
use std::fmt;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use weir_bindgen::Schema;
use weir_bindgen::read::{Source, Sources, read};
use weir_bindgen::schema::compatible;
use weir_bindgen::section;
use weir_bindgen::typed::Typed;
use weir_model::limits::{bindgen as limits, maps as limits_of_maps};
use weir_model::{Filter, Function, MapGrants, Name, SharedMap, Site};

pub use error::{Breaks, DeclarationError};
use mark::Mark;

/// The declarations of a site.
#[derive(Debug, Default)]
pub(crate) struct Declarations(BTreeMap<Name, Declared>);

/// The declaration of a map.
#[derive(Debug)]
pub(crate) struct Declared {
    path: PathBuf,
    typed: Arc<Typed>,
    mark: Option<Mark>,
}

/// What uses a module, and may use maps.
pub(crate) struct User<'a> {
    kind: &'static str,
    name: &'a Name,
    module: &'a Name,
    grants: &'a MapGrants,
}

impl<'a> From<&'a Filter> for User<'a> {
    fn from(filter: &'a Filter) -> Self {
        Self {
            kind: "filter",
            name: &filter.name,
            module: &filter.module,
            grants: &filter.grants.maps,
        }
    }
}

impl<'a> From<&'a Function> for User<'a> {
    fn from(function: &'a Function) -> Self {
        Self {
            kind: "function",
            name: &function.name,
            module: &function.module,
            grants: &function.grants.maps,
        }
    }
}

impl fmt::Display for User<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind, self.name)
    }
}

impl Declarations {
    /// Reads all that the configuration names, and holds them against what is stored.
    ///
    /// # Errors
    /// Which map, and why.
    pub(crate) fn read(site: &Site) -> Result<Self, DeclarationError> {
        let mut all = BTreeMap::new();
        for (name, map) in &site.maps {
            let Some(path) = &map.declaration else {
                continue;
            };
            let typed = Arc::new(typed(name, path)?);
            let mark = super::stores::file(site, (name, map)).map(|file| Mark::beside(&file));
            let mut declared = Declared {
                path: path.clone(),
                typed,
                mark: None,
            };
            if let Some(mut mark) = mark {
                declared.agrees_with(name, &mut mark)?;
                declared.mark = Some(mark);
            }
            all.insert(name.clone(), declared);
        }
        Ok(Self(all))
    }

    /// The types of a map; `None`: it has none.
    pub(crate) fn typed(&self, map: &str) -> Option<&Arc<Typed>> {
        self.0.get(map).map(|declared| &declared.typed)
    }

    /// How long entries live that are written without a time of their own.
    pub(crate) fn ttl(&self, name: &Name, map: &SharedMap) -> Option<Duration> {
        let declared = || self.typed(name)?.map().ttl_ms.map(Duration::from_millis);
        map.ttl.or_else(declared)
    }

    /// From now on entries of a map are stored under its declaration: says so beside its file.
    ///
    /// # Errors
    /// The file cannot be written.
    pub(crate) fn stored(&self, name: &Name, entries: u64) -> Result<(), DeclarationError> {
        let Some((declared, mark)) = self.0.get(name).and_then(|d| Some((d, d.mark.as_ref()?)))
        else {
            return Ok(());
        };
        if entries > 0 && mark.is_new() {
            tracing::warn!(
                map = %name, entries, declaration = %declared.path.display(),
                "the map had entries before it had a declaration: nobody has checked them"
            );
        }
        let schema = declared.typed.schema();
        mark.write(schema).map_err(|error| DeclarationError::Write {
            map: name.clone(),
            path: mark.path().to_owned(),
            error,
        })
    }

    /// Whether a module's own schemas of the maps that its user is granted agree with theirs.
    /// Older and newer ones do; those that contradict do not.
    ///
    /// # Errors
    /// Which map, and how they differ.
    pub(crate) fn admit(&self, user: &User<'_>, module: &[u8]) -> Result<(), DeclarationError> {
        let granted = user.grants.maps.keys();
        let typed: Vec<_> = granted
            .filter_map(|map| Some((map, self.0.get(map)?)))
            .collect();
        if typed.is_empty() {
            return Ok(());
        }
        let schemas = section::schemas(module).map_err(|error| DeclarationError::Section {
            user: user.to_string(),
            module: user.module.clone(),
            error,
        })?;
        for (map, declared) in typed {
            for schema in &schemas {
                let Some(of_module) = Typed::of(schema, map) else {
                    continue;
                };
                let (ours, theirs) = (declared.typed.schema(), of_module.schema());
                let breaks = compatible(theirs, ours);
                if breaks.is_empty() || compatible(ours, theirs).is_empty() {
                    continue;
                }
                return Err(DeclarationError::Module {
                    user: user.to_string(),
                    module: user.module.clone(),
                    map: map.clone(),
                    declaration: declared.path.clone(),
                    breaks: Breaks(breaks),
                });
            }
        }
        Ok(())
    }
}

impl Declared {
    /// Whether all schemas that entries were stored under can be read with this one.
    fn agrees_with(&self, map: &Name, mark: &mut Mark) -> Result<(), DeclarationError> {
        mark.read(map)?;
        let mut breaks = Vec::new();
        for old in mark.schemas() {
            breaks.extend(compatible(old, self.typed.schema()));
        }
        breaks.dedup();
        if !breaks.is_empty() {
            return Err(DeclarationError::Stored {
                map: map.clone(),
                declaration: self.path.clone(),
                mark: mark.path().to_owned(),
                breaks: Breaks(breaks),
            });
        }
        if mark.is_full_for(self.typed.schema()) {
            return Err(DeclarationError::Marks {
                map: map.clone(),
                mark: mark.path().to_owned(),
            });
        }
        Ok(())
    }
}

/// The map of a declaration.
fn typed(map: &Name, path: &Path) -> Result<Typed, DeclarationError> {
    let failed = |path: PathBuf, error| DeclarationError::Read {
        map: map.clone(),
        path,
        error,
    };
    let given = source(path).map_err(|error| failed(path.to_owned(), error))?;
    let schema = if path.extension().is_some_and(|kind| kind == "json") {
        let json = serde_json::from_str(&given.text).map_err(|error| error.to_string());
        let schema =
            json.and_then(|json| Schema::from_json(&json).map_err(|error| error.to_string()));
        schema.map_err(|told| DeclarationError::NoSchema {
            map: map.clone(),
            path: path.to_owned(),
            told,
        })?
    } else {
        let beside = beside(path).map_err(|(path, error)| failed(path, error))?;
        let given = vec![given];
        read(&Sources { given, beside }).map_err(|problems| DeclarationError::Wrong {
            map: map.clone(),
            problems,
        })?
    };
    let Some(typed) = Typed::of(&schema, map) else {
        let names: Vec<&str> = schema.maps.iter().map(|map| map.name.as_str()).collect();
        return Err(DeclarationError::Undeclared {
            map: map.clone(),
            path: path.to_owned(),
            declared: match names.as_slice() {
                [] => "no map".to_owned(),
                names => names.join(", "),
            },
        });
    };
    match typed.map().ttl_ms {
        Some(ttl_ms) if ttl_ms > limits_of_maps::CONFIGURED_TTL_MS_MAX => {
            Err(DeclarationError::Ttl {
                map: map.clone(),
                path: path.to_owned(),
                ttl_ms,
            })
        }
        Some(_) | None => Ok(typed),
    }
}

/// A source file of types or maps.
///
/// # Errors
/// What the system says, or that it is no text or larger than [`limits::SOURCE_BYTES_MAX`].
pub fn source(path: &Path) -> io::Result<Source> {
    let file = std::fs::File::open(path)?;
    let mut text = String::new();
    file.take(limits::SOURCE_BYTES_MAX + 1)
        .read_to_string(&mut text)?;
    if text.len() as u64 > limits::SOURCE_BYTES_MAX {
        let told = format!("it has more than {} bytes", limits::SOURCE_BYTES_MAX);
        return Err(io::Error::new(io::ErrorKind::InvalidData, told));
    }
    let name = path.display().to_string();
    Ok(Source { name, text })
}

/// The files of types beside a file, in the order of their names.
///
/// # Errors
/// Which file or folder, and what the system says.
pub fn beside(file: &Path) -> Result<Vec<Source>, (PathBuf, io::Error)> {
    let folder = file
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or_else(|| Path::new("."));
    let failed = |error| (folder.to_owned(), error);
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        let kind = path.extension().and_then(|kind| kind.to_str());
        if matches!(kind, Some("wit" | "proto")) && path.is_file() {
            paths.push(path);
        }
    }
    paths.sort();
    let read = |path: PathBuf| source(&path).map_err(|error| (path, error));
    paths.into_iter().map(read).collect()
}
