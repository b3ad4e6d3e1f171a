//! What the entries of a map in files were stored under: schemas, one a line, in a file beside it.
//!
//! A schema goes from it when a newer one knows all that it knew. One with fields that are gone since
//! stays: a number that it used must not come back as something else.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use weir_bindgen::Schema;
use weir_bindgen::schema::covers;
use weir_model::Name;
use weir_model::limits::bindgen as limits;

use super::DeclarationError;

/// Schemas beside a map's file.
#[derive(Debug)]
pub(super) struct Mark {
    path: PathBuf,
    schemas: Vec<Schema>,
}

impl Mark {
    pub(super) fn beside(file: &Path) -> Self {
        let mut path = file.as_os_str().to_owned();
        path.push(".schema");
        Self {
            path: path.into(),
            schemas: Vec::new(),
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn schemas(&self) -> &[Schema] {
        &self.schemas
    }

    /// Whether nothing was stored under a declaration yet.
    pub(super) fn is_new(&self) -> bool {
        self.schemas.is_empty()
    }

    /// Reads the file, if it is there.
    pub(super) fn read(&mut self, map: &Name) -> Result<(), DeclarationError> {
        let source = match super::source(&self.path) {
            Ok(source) => source,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => {
                return Err(DeclarationError::Read {
                    map: map.clone(),
                    path: self.path.clone(),
                    error,
                });
            }
        };
        for line in source.text.lines() {
            let json = serde_json::from_str(line).map_err(|error| error.to_string());
            let schema =
                json.and_then(|json| Schema::from_json(&json).map_err(|error| error.to_string()));
            let schema = schema.map_err(|told| DeclarationError::NoSchema {
                map: map.clone(),
                path: self.path.clone(),
                told,
            })?;
            self.schemas.push(schema);
        }
        Ok(())
    }

    /// Whether there is no room for another one.
    pub(super) fn is_full_for(&self, schema: &Schema) -> bool {
        self.kept(schema).count() >= limits::SECTION_SCHEMAS_MAX
    }

    /// The schemas that stay beside a new one.
    fn kept<'m>(&'m self, new: &'m Schema) -> impl Iterator<Item = &'m Schema> {
        self.schemas.iter().filter(|old| !covers(new, old))
    }

    /// Notes a schema, whole or not at all.
    pub(super) fn write(&self, schema: &Schema) -> io::Result<()> {
        let kept = Schema::from_json(&schema.to_json()).map_err(io::Error::other)?;
        let lines: Vec<String> = self
            .kept(&kept)
            .chain([&kept])
            .map(|schema| schema.to_json().to_string() + "\n")
            .collect();
        let known: Vec<String> = self
            .schemas
            .iter()
            .map(|schema| schema.to_json().to_string() + "\n")
            .collect();
        if lines == known {
            return Ok(());
        }
        let mut new = self.path.as_os_str().to_owned();
        new.push(".new");
        let new = PathBuf::from(new);
        let mut file = File::create(&new)?;
        file.write_all(lines.concat().as_bytes())?;
        file.sync_all()?;
        drop(file);
        fs::rename(&new, &self.path)?;
        match self.path.parent() {
            Some(folder) => File::open(folder)?.sync_all(),
            None => Ok(()),
        }
    }
}
