//! From sources to a schema: `.map`, `.wit` and `.proto` files together.

mod proto;
mod wit;

use crate::declaration::Declarations;
use crate::lower::Lowering;
use crate::problem::{Place, Problem, Problems};
use crate::schema::Schema;

/// A file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// Its name in problems; its end tells what it is.
    pub name: String,
    /// What is in it.
    pub text: String,
}

/// The files of a schema.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    /// Those that a person named.
    pub given: Vec<Source>,
    /// Those beside them, where `use` and `import` look as well.
    pub beside: Vec<Source>,
}

/// What a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Language {
    Map,
    Wit,
    Proto,
}

impl Source {
    fn language(&self) -> Option<Language> {
        match self.name.rsplit('.').next() {
            Some("map") => Some(Language::Map),
            Some("wit") => Some(Language::Wit),
            Some("proto") => Some(Language::Proto),
            _ => None,
        }
    }

    /// Its name without folders.
    fn file(&self) -> &str {
        self.name.rsplit(['/', '\\']).next().unwrap_or(&self.name)
    }
}

impl Sources {
    fn of(&self, language: Language) -> Vec<&Source> {
        self.given
            .iter()
            .filter(|source| source.language() == Some(language))
            .collect()
    }

    /// Types come from what was named, or else from what is beside it.
    fn types(&self, language: Language) -> Vec<&Source> {
        let has_types = self
            .given
            .iter()
            .any(|source| matches!(source.language(), Some(Language::Wit | Language::Proto)));
        if has_types {
            return self.of(language);
        }
        self.beside
            .iter()
            .filter(|source| source.language() == Some(language))
            .collect()
    }
}

/// Reads all sources.
///
/// # Errors
/// All mistakes of all of them.
pub fn read(sources: &Sources) -> Result<Schema, Problems> {
    let mut lowering = Lowering::default();
    for source in sources
        .given
        .iter()
        .filter(|source| source.language().is_none())
    {
        let found = "this is no kind of file that is read here";
        let expected = "a name that ends in .map, .wit or .proto";
        lowering
            .problems
            .push(Problem::new(Place::of_file(&source.name), found, expected));
    }
    let mut maps = Vec::new();
    for source in sources.of(Language::Map) {
        match Declarations::parse(&source.name, &source.text) {
            Ok(parsed) => maps.push(parsed),
            Err(Problems(mut problems)) => lowering.problems.append(&mut problems),
        }
    }
    let has_maps = !sources.of(Language::Map).is_empty();
    let needs_types = !has_maps || maps.iter().any(|map| !map.interfaces().is_empty());
    if needs_types {
        wit::declare(&sources.types(Language::Wit), &mut lowering);
        let beside: Vec<&Source> = sources.beside.iter().collect();
        proto::declare(&sources.types(Language::Proto), &beside, &mut lowering);
    }
    if !has_maps {
        lowering.all();
    }
    if lowering.problems.is_empty() {
        for declarations in &maps {
            lowering.declarations(declarations);
        }
    }
    twins(&maps, &mut lowering);
    Problems::none_or(lowering.problems)?;
    let schema = lowering.schema;
    Ok(if has_maps { needed(&schema) } else { schema })
}

/// A map's name is there once, over all files.
fn twins(maps: &[Declarations], lowering: &mut Lowering) {
    let mut seen = std::collections::HashMap::new();
    for map in maps.iter().flat_map(|file| &file.maps) {
        if let Some(first) = seen.insert(map.name.clone(), map.place.clone()) {
            let found = format!("the map `{}` is declared twice", map.name);
            lowering.problem(
                &map.place,
                found,
                format!("one of them only; the first is at {first}"),
            );
        }
    }
}

/// The schema without types that no map and no service needs.
fn needed(schema: &Schema) -> Schema {
    let mut reached = std::collections::BTreeSet::new();
    for map in &schema.maps {
        if let crate::schema::Stored::Message(id) | crate::schema::Stored::Layout(id) = map.value {
            schema.reach(id, &mut reached);
        }
    }
    for method in schema.services.iter().flat_map(|service| &service.methods) {
        schema.reach(method.input, &mut reached);
        schema.reach(method.output, &mut reached);
    }
    schema.keeping(&reached)
}
