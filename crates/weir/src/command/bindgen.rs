//! `weir bindgen`: code for typed maps.

use std::fs;
use std::io;
use std::path::Path;

use weir_bindgen::declaration::Declarations;
use weir_bindgen::generate::{Language, generate};
use weir_bindgen::read::{Source, Sources, read};
use weir_bindgen::schema::compatible;
use weir_bindgen::{Problems, Schema, section};
use weir_proxy::maps::declared;

use crate::cli::{Bindgen, BindgenLanguage};
use crate::failure::{Failure, Outcome};
use crate::terminal::{Terminal, Tone, printable};

/// Formats, checks or writes code.
pub(super) fn run(arguments: &Bindgen, terminal: &mut Terminal<'_>) -> Result<Outcome, Failure> {
    if arguments.format {
        return format(arguments, terminal);
    }
    let schema = load(&arguments.files, terminal)?;
    if let Some(old) = &arguments.check {
        check(old, &schema, terminal)?;
    }
    if arguments.schema {
        return super::print_json(&schema.to_json(), terminal);
    }
    if let (Some(lang), Some(out)) = (arguments.lang, &arguments.out) {
        return write(arguments, (lang, out.as_path()), &schema, terminal);
    }
    if let Some(module) = &arguments.embed {
        return embed(module, &schema, terminal);
    }
    let told = format!(
        "{} maps, {} types and {} services are fine\n",
        schema.maps.len(),
        schema.types.len(),
        schema.services.len()
    );
    terminal.print(&told)?;
    Ok(Outcome::Fine)
}

/// Tells mistakes, each on a line of its own.
fn refuse(problems: &Problems, terminal: &mut Terminal<'_>) -> Failure {
    for problem in &problems.0 {
        terminal.remark(&format!("{}\n", printable(&problem.to_string())));
    }
    Failure::TypedMaps
}

fn source(path: &Path) -> Result<Source, Failure> {
    declared::source(path).map_err(|error| Failure::read(path, error))
}

fn load(files: &[std::path::PathBuf], terminal: &mut Terminal<'_>) -> Result<Schema, Failure> {
    let mut sources = Sources::default();
    for path in files {
        sources.given.push(source(path)?);
    }
    if let Some(first) = files.first() {
        let beside = declared::beside(first);
        sources.beside = beside.map_err(|(path, error)| Failure::read(&path, error))?;
    }
    read(&sources).map_err(|problems| refuse(&problems, terminal))
}

/// Brings `.map` files into their one form.
fn format(arguments: &Bindgen, terminal: &mut Terminal<'_>) -> Result<Outcome, Failure> {
    for path in &arguments.files {
        let source = source(path)?;
        let parsed = Declarations::parse(&source.name, &source.text)
            .map_err(|problems| refuse(&problems, terminal))?;
        let formatted = parsed.formatted();
        if formatted != source.text {
            fs::write(path, formatted).map_err(|error| Failure::write(path, error))?;
            terminal.print(&format!("formatted {}\n", path.display()))?;
        }
    }
    Ok(Outcome::Fine)
}

/// Refuses a schema that cannot read the entries of an older one.
fn check(old: &Path, schema: &Schema, terminal: &mut Terminal<'_>) -> Result<(), Failure> {
    let is_json = old.extension().is_some_and(|kind| kind == "json");
    let before = if is_json {
        let text = source(old)?.text;
        let told =
            |error: String| Failure::read(old, io::Error::new(io::ErrorKind::InvalidData, error));
        let json = serde_json::from_str(&text).map_err(|error| told(error.to_string()))?;
        Schema::from_json(&json).map_err(|error| told(error.to_string()))?
    } else {
        load(&[old.to_owned()], terminal)?
    };
    let breaks = compatible(&before, schema);
    if breaks.is_empty() {
        return Ok(());
    }
    for found in breaks {
        terminal.remark(&format!("{}\n", printable(&found.to_string())));
    }
    Err(Failure::TypedMaps)
}

fn write(
    arguments: &Bindgen,
    (lang, out): (BindgenLanguage, &Path),
    schema: &Schema,
    terminal: &mut Terminal<'_>,
) -> Result<Outcome, Failure> {
    let stem = arguments
        .files
        .first()
        .and_then(|file| file.file_stem())
        .unwrap_or_default();
    let stem = stem.to_string_lossy();
    let stem = arguments.name.as_deref().unwrap_or(&stem);
    fs::create_dir_all(out).map_err(|error| Failure::write(out, error))?;
    for file in generate(schema, language(lang), stem) {
        let path = out.join(&file.name);
        fs::write(&path, file.text).map_err(|error| Failure::write(&path, error))?;
        let shown = path.display().to_string();
        terminal.print(&format!(
            "{} {}\n",
            terminal.paint(Tone::Good, "wrote"),
            printable(&shown)
        ))?;
    }
    Ok(Outcome::Fine)
}

/// Puts the schema into a module.
fn embed(path: &Path, schema: &Schema, terminal: &mut Terminal<'_>) -> Result<Outcome, Failure> {
    let module = fs::read(path).map_err(|error| Failure::read(path, error))?;
    let told = |error: section::SectionError| {
        Failure::read(path, io::Error::new(io::ErrorKind::InvalidData, error))
    };
    let module = section::embed(&module, schema).map_err(told)?;
    fs::write(path, module).map_err(|error| Failure::write(path, error))?;
    let shown = path.display().to_string();
    terminal.print(&format!("{} now carries its schema\n", printable(&shown)))?;
    Ok(Outcome::Fine)
}

const fn language(chosen: BindgenLanguage) -> Language {
    match chosen {
        BindgenLanguage::Rust => Language::Rust,
        BindgenLanguage::C => Language::C,
        BindgenLanguage::Cpp => Language::Cpp,
        BindgenLanguage::Go => Language::Go,
        BindgenLanguage::Assemblyscript => Language::AssemblyScript,
        BindgenLanguage::Python => Language::Python,
        BindgenLanguage::Javascript => Language::JavaScript,
        BindgenLanguage::Proto => Language::Proto,
    }
}
