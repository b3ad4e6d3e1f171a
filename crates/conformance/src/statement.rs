//! Statement files as values.

mod check;
mod message;
mod read;
mod scene;
mod server;
mod step;

use std::path::Path;

pub(crate) use check::{AccessCheck, LogCheck, RequestCheck, ResponseCheck};
pub(crate) use message::{Message, Seen, fields};
pub(crate) use scene::{Attachment, Filter, Listener, Scene};
pub(crate) use server::{Answer, GrpcStep, Protocol, Server, When};
pub(crate) use step::{Request, ServerName, Step, Verb};

use crate::trouble::{Trouble, at_path};

/// One testable statement about hosts of Proxy-Wasm filters.
#[derive(Debug)]
pub struct Statement {
    /// Its number in the reference.
    pub number: u32,
    /// The claim.
    pub text: String,
    pub(crate) needs: Vec<String>,
    /// Why the hosts differ on purpose.
    pub differs: Option<String>,
    pub(crate) unseen: Option<String>,
    /// What is missing in which host.
    pub(crate) open: Vec<(String, String)>,
    pub(crate) cases: Vec<Case>,
}

/// One scene and what happens in it.
#[derive(Debug)]
pub(crate) struct Case {
    /// Empty: the only one.
    pub(crate) name: String,
    pub(crate) needs: Vec<String>,
    pub(crate) only: Option<String>,
    pub(crate) open: Vec<(String, String)>,
    pub(crate) scene: Scene,
    pub(crate) steps: Vec<Step>,
}

impl Statement {
    /// The guests: index of the case, name of the filter, code.
    pub(crate) fn guests(&self) -> impl Iterator<Item = (usize, &str, &[u8])> {
        self.cases.iter().enumerate().flat_map(|(index, case)| {
            let filters = case.scene.filters.iter();
            filters.map(move |filter| (index, filter.name.as_str(), &filter.code[..]))
        })
    }

    /// Whether some host is treated in a way of its own, which needs a reason.
    fn has_reason(&self) -> bool {
        self.differs.is_some() || self.unseen.is_some() || !self.open.is_empty()
    }
}

/// A statement by its number, or why it cannot be read.
pub type Read = (u32, Result<Statement, Trouble>);

/// Reads the statements of a folder that are wanted, sorted by number. Each that cannot be read is an
/// error of its own.
///
/// # Errors
/// If the folder cannot be read.
pub fn statements(folder: &Path, is_wanted: &dyn Fn(u32) -> bool) -> Result<Vec<Read>, Trouble> {
    let mut statements = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(at_path(folder))? {
        let path = entry.map_err(at_path(folder))?.path();
        if path.extension().is_none_or(|kind| kind != "yaml") {
            continue;
        }
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let stem = path.file_stem().unwrap_or_default().to_string_lossy();
        let Ok(number) = stem.parse::<u32>() else {
            let what = "a file of statements is called after its number, like 042.yaml";
            return Err(Trouble::Statement {
                file: name.into_owned(),
                line: 1,
                what: what.to_owned(),
            });
        };
        if is_wanted(number) {
            let statement = std::fs::read_to_string(&path)
                .map_err(at_path(&path))
                .and_then(|text| {
                    read::statement(number, &text, folder).map_err(|misread| misread.within(&name))
                });
            statements.push((number, statement));
        }
    }
    statements.sort_by_key(|(number, _)| *number);
    Ok(statements)
}
