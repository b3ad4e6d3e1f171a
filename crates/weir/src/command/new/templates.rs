//! The projects that `weir new` can write. Their texts stand in `templates/` of this crate.
//!
//! In a text, `{{name}}` is the project's name, `{{word}}` the same with `_`, `{{file}}` what the
//! build makes, `{{build}}` how; the rest is of the shared page README.md.

mod filters;
mod functions;

use super::tools::Tool;
use crate::cli::{ProjectCall, ProjectKind, ProjectLanguage};

/// One file of a project.
pub(super) struct File {
    /// Below the project's folder.
    pub(super) name: &'static str,
    pub(super) text: &'static str,
}

/// A kind of project.
pub(super) struct Template {
    files: Vec<File>,
    /// What its build and its test need.
    pub(super) tools: Vec<Tool>,
    about: &'static str,
    needs: &'static str,
    /// Where to begin to read.
    source: &'static str,
    build: &'static str,
    file: &'static str,
    /// What `weir dev` watches.
    watch: &'static str,
    /// Linear memory: languages with a runtime need more.
    memory: &'static str,
    /// How a function is called; empty for filters.
    kind: &'static str,
    /// The key of the configuration under which a function finds its greeting.
    greeting: &'static str,
}

/// A file of this crate's folder `templates`.
macro_rules! part {
    ($name:literal, $path:literal) => {
        File {
            name: $name,
            text: include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/templates/", $path)),
        }
    };
}
use part;

impl Template {
    pub(super) fn files(&self) -> &[File] {
        &self.files
    }

    /// A text of this template for a project of this name.
    pub(super) fn filled(&self, text: &str, name: &str) -> String {
        let word = name.replace('-', "_");
        text.replace("{{about}}", self.about)
            .replace("{{needs}}", self.needs)
            .replace("{{source}}", self.source)
            .replace("{{build}}", self.build)
            .replace("{{file}}", self.file)
            .replace("{{watch}}", self.watch)
            .replace("{{memory}}", self.memory)
            .replace("{{kind}}", self.kind)
            .replace("{{greeting}}", self.greeting)
            .replace("{{word}}", &word)
            .replace("{{name}}", name)
    }
}

/// Every project that there is.
pub(super) fn all() -> impl Iterator<Item = (ProjectKind, ProjectLanguage, Option<ProjectCall>)> {
    use ProjectCall::{Command, Core, Http};
    use ProjectKind::{Filter, Function};
    use ProjectLanguage::{AssemblyScript, C, Go, JavaScript, Python, Rust};
    [
        (Filter, Rust, None),
        (Filter, Go, None),
        (Filter, C, None),
        (Filter, AssemblyScript, None),
        (Function, Rust, Some(Http)),
        (Function, Rust, Some(Command)),
        (Function, Go, Some(Command)),
        (Function, C, Some(Core)),
        (Function, C, Some(Command)),
        (Function, AssemblyScript, Some(Core)),
        (Function, Python, Some(Http)),
        (Function, JavaScript, Some(Http)),
    ]
    .into_iter()
}

/// A project; of a function without a kind, the first one of its language.
pub(super) fn template(
    what: ProjectKind,
    lang: ProjectLanguage,
    call: Option<ProjectCall>,
) -> Option<Template> {
    let mut offered = all();
    let (_, _, call) =
        offered.find(|(w, l, c)| (*w, *l) == (what, lang) && (call.is_none() || *c == call))?;
    match what {
        ProjectKind::Filter => filters::template(lang),
        ProjectKind::Function => functions::template(lang, call?),
    }
}

/// The language as the command line has it.
pub(super) const fn word(lang: ProjectLanguage) -> &'static str {
    match lang {
        ProjectLanguage::Rust => "rust",
        ProjectLanguage::Go => "go",
        ProjectLanguage::C => "c",
        ProjectLanguage::AssemblyScript => "assemblyscript",
        ProjectLanguage::Python => "python",
        ProjectLanguage::JavaScript => "javascript",
    }
}

/// The kind as the command line has it.
pub(super) const fn call_word(call: ProjectCall) -> &'static str {
    match call {
        ProjectCall::Http => "http",
        ProjectCall::Command => "command",
        ProjectCall::Core => "core",
    }
}
