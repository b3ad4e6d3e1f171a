//! `weir new`: a folder to begin with, that builds, runs and passes its test at once.

mod templates;
mod tools;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::cli::{New, ProjectCall, ProjectKind, ProjectLanguage};
use crate::failure::{Failure, Outcome};
use crate::terminal::{Terminal, Tone};

use templates::{Template, template};

/// Characters of a name: it becomes a folder, a package and a word of the configuration.
const NAME_CHARS_MAX: usize = 64;

/// Writes the folder, and says what comes next.
pub(super) fn run(arguments: &New, terminal: &mut Terminal<'_>) -> Result<Outcome, Failure> {
    check_name(&arguments.name)?;
    let template = chosen(arguments)?;
    let folder = match &arguments.dir {
        Some(folder) => folder.clone(),
        None => PathBuf::from(&arguments.name),
    };
    write(&template, &arguments.name, &folder)?;
    let shown = folder.display().to_string();
    for file in template.files() {
        let told = format!("{shown}/{}", file.name);
        terminal.note(Tone::Good, "wrote", &told);
    }
    let missing = template.tools.iter().filter(|tool| !tool.is_there());
    let missing: Vec<String> = missing.map(|tool| tool.advice()).collect();
    for advice in &missing {
        terminal.note(Tone::Doubtful, "missing:", advice);
    }
    let then = if missing.is_empty() { "Now:" } else { "Then:" };
    let script = quoted(&shown);
    terminal.print(&format!(
        "{then}\n    cd {script}\n    weir dev                    # serves http://127.0.0.1:8080/, \
         and follows what you change\n    weir dev --run ./test.sh    # plays the test\n"
    ))?;
    Ok(Outcome::Fine)
}

/// Names that Cargo refuses: of Rust's language, and of Cargo's own folders.
const TAKEN: &str = "abstract as async await become box break build const continue crate deps do \
    dyn else enum examples extern false final fn for gen if impl in incremental let loop macro \
    match mod move mut override priv pub ref return self static struct super trait true try type \
    typeof unsafe unsized use virtual where while yield test";

/// A name that all languages and tools take.
fn check_name(name: &str) -> Result<(), Failure> {
    let is_fine = name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.len() <= NAME_CHARS_MAX
        && !name.ends_with('-')
        && name
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-');
    if is_fine && TAKEN.split(' ').all(|taken| taken != name) {
        return Ok(());
    }
    if is_fine {
        return Err(Failure::Project(format!(
            "{name:?} is no name for a project: languages or their tools use it themselves"
        )));
    }
    Err(Failure::Project(format!(
        "{name:?} is no name for a project: a lower-case letter, then lower-case letters, digits and \
         \"-\" in between, {NAME_CHARS_MAX} at most"
    )))
}

fn chosen(arguments: &New) -> Result<Template, Failure> {
    let kind = arguments.kind;
    if arguments.what == ProjectKind::Filter && kind.is_some() {
        let told = "--kind is for functions; a filter is a Proxy-Wasm plugin";
        return Err(Failure::Project(told.to_owned()));
    }
    let found = template(arguments.what, arguments.lang, kind);
    found.ok_or_else(|| {
        let all = templates::all();
        let offered = all.filter(|(what, ..)| *what == arguments.what);
        let told: Vec<String> = offered.map(|(_, lang, call)| option(lang, call)).collect();
        let what = match arguments.what {
            ProjectKind::Filter => "filters",
            ProjectKind::Function => "functions",
        };
        Failure::Project(format!(
            "there are no {what} with {}{}; there are: {}",
            option(arguments.lang, kind),
            reason(arguments),
            told.join(", ")
        ))
    })
}

/// Why something is not there, where that can be said.
fn reason(arguments: &New) -> &'static str {
    match (arguments.what, arguments.lang) {
        (ProjectKind::Filter, ProjectLanguage::Python | ProjectLanguage::JavaScript) => {
            " (its compilers make components, and filters are core modules that many requests share; \
             a function can be written in it)"
        }
        (ProjectKind::Filter | ProjectKind::Function, _) => "",
    }
}

/// A language and a kind, as they are said to `weir new`.
fn option(lang: ProjectLanguage, call: Option<ProjectCall>) -> String {
    let lang = templates::word(lang);
    match call {
        Some(call) => format!("--lang {lang} --kind {}", templates::call_word(call)),
        None => format!("--lang {lang}"),
    }
}

/// All or nothing: a folder that is there stays as it is.
fn write(template: &Template, name: &str, folder: &Path) -> Result<(), Failure> {
    if let Err(error) = fs::create_dir(folder) {
        if error.kind() == io::ErrorKind::AlreadyExists {
            let shown = folder.display();
            let told = format!("{shown} is there already; nothing was written");
            return Err(Failure::Project(told));
        }
        return Err(Failure::write(folder, error));
    }
    for file in template.files() {
        let path = folder.join(file.name);
        let failed = |error| Failure::write(&path, error);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).map_err(failed)?;
        }
        fs::write(&path, template.filled(file.text, name)).map_err(failed)?;
        if has_kind(&path, "sh") {
            executable(&path).map_err(failed)?;
        }
    }
    Ok(())
}

fn has_kind(path: &Path, kind: &str) -> bool {
    path.extension().is_some_and(|extension| extension == kind)
}

fn executable(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    let mut permissions = fs::metadata(path)?.permissions();
    // Whoever may read it may run it.
    permissions.set_mode(permissions.mode() | (permissions.mode() & 0o444) >> 2);
    fs::set_permissions(path, permissions)
}

/// A word of the shell.
fn quoted(text: &str) -> String {
    let is_plain = |c: char| c.is_alphanumeric() || "-_./".contains(c);
    if text.chars().all(is_plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(name: &str, is_fine: bool) {
        assert_eq!(check_name(name).is_ok(), is_fine, "{name:?}");
    }

    #[test]
    fn names_fit_all_languages() {
        check("limiter", true);
        check("a-2", true);
        check("", false);
        check("2a", false);
        check("Limiter", false);
        check("a/b", false);
        check("..", false);
        check("a_b", false);
        check("a-", false);
        check(&"a".repeat(65), false);
    }

    #[test]
    fn words_of_the_shell_stay_one() {
        assert_eq!(quoted("a/b-c.d"), "a/b-c.d");
        assert_eq!(quoted("a b'c"), r"'a b'\''c'");
    }

    #[test]
    fn every_template_is_filled_without_a_rest() {
        for (what, lang, call) in templates::all() {
            let template = template(what, lang, call).expect("it is offered");
            for file in template.files() {
                let text = template.filled(file.text, "an-example");
                let rests = ["name", "word", "file", "build", "watch", "kind", "greeting"];
                for rest in rests {
                    let rest = format!("{{{{{rest}}}}}");
                    assert!(!text.contains(&rest), "{} has {rest}", file.name);
                }
            }
        }
    }
}
