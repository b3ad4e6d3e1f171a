//! The state of reading one file: where we are, what is wrong, which names are defined and used.

use std::collections::{HashMap, HashSet};
use std::path::Path;

use weir_model::Name;

use crate::problem::{
    Problem, Problems, Refusal, Severity, Source, Span, alternatives, nearest, shortened,
};
use crate::shape::{Catalog, Shape, Sort};
use crate::yaml::{Entry, Node, Value, repeated_keys};

/// Reads shapes from nodes and collects all that is wrong.
pub(crate) struct Reader<'a> {
    source: Source<'a>,
    path: String,
    /// Whether a module's file must be there.
    pub(crate) module_files: ModuleFiles,
    pub(crate) errors: Problems,
    pub(crate) warnings: Problems,
    definitions: HashMap<&'static str, Vec<(Name, Place)>>,
    references: Vec<Reference>,
}

/// When the files of modules must be there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum ModuleFiles {
    /// Now.
    #[default]
    Built,
    /// Later, if the configuration says how they are made.
    ToBeBuilt,
}

/// Where a value stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) at: Span,
    pub(crate) path: String,
}

/// A value that remembers where it stands.
#[derive(Clone, Debug, Default)]
pub(crate) struct Placed<T> {
    pub(crate) value: T,
    pub(crate) place: Place,
}

struct Reference {
    family: &'static str,
    name: Name,
    place: Place,
}

impl<'a> Reader<'a> {
    /// A reader of the text of a file.
    pub(crate) fn new(file: &'a Path, text: &'a str) -> Self {
        Self {
            source: Source::new(file, text),
            path: String::new(),
            module_files: ModuleFiles::default(),
            errors: Problems::default(),
            warnings: Problems::default(),
            definitions: HashMap::new(),
            references: Vec::new(),
        }
    }

    /// Where the node stands.
    pub(crate) fn place(&self, node: &Node) -> Place {
        Place {
            at: node.at,
            path: self.path.clone(),
        }
    }

    /// Reports what is wrong at a place of the tree that is being read.
    pub(crate) fn refuse(&mut self, at: Span, refusal: Refusal) {
        let problem = self
            .source
            .problem(Severity::Error, at, &self.path, refusal);
        self.errors.push(problem);
    }

    /// Reports what is wrong at a place that was read before.
    pub(crate) fn refuse_at(&mut self, place: &Place, refusal: Refusal) {
        let problem = self
            .source
            .problem(Severity::Error, place.at, &place.path, refusal);
        self.errors.push(problem);
    }

    /// Reports what is probably not meant.
    pub(crate) fn warn_at(&mut self, place: &Place, refusal: Refusal) {
        let problem: Problem =
            self.source
                .problem(Severity::Warning, place.at, &place.path, refusal);
        self.warnings.push(problem);
    }

    /// Reports a node that is not of the expected kind.
    pub(crate) fn refuse_kind(&mut self, node: &Node, expected: impl Into<String>) {
        let refusal = Refusal::new(
            format!("found {}", node.description()),
            node.found(),
            expected,
        );
        self.refuse(node.at, refusal);
    }

    /// Reads a node that may also be a certain word; what is wrong then mentions the word.
    pub(crate) fn read_or_word<T: Shape>(&mut self, node: &Node, word: &str) -> Option<T> {
        let before = self.errors.listed().len();
        let value = T::read(node, self);
        self.errors.also_expected(before, node.at, word);
        value
    }

    /// Reads what stands under a key.
    pub(crate) fn under_key<T>(&mut self, key: &str, read: impl FnOnce(&mut Self) -> T) -> T {
        let plain = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-');
        if key.is_empty() || !key.chars().all(plain) {
            return self.under(&format!("[{:?}]", shortened(key)), read);
        }
        let separator = if self.path.is_empty() { "" } else { "." };
        self.under(&format!("{separator}{key}"), read)
    }

    /// Reads an item of a list.
    pub(crate) fn under_index<T>(&mut self, index: usize, read: impl FnOnce(&mut Self) -> T) -> T {
        self.under(&format!("[{index}]"), read)
    }

    fn under<T>(&mut self, step: &str, read: impl FnOnce(&mut Self) -> T) -> T {
        let length = self.path.len();
        self.path.push_str(step);
        let value = read(self);
        self.path.truncate(length);
        value
    }

    /// Refuses keys that repeat, anywhere below the node.
    pub(crate) fn check_keys(&mut self, node: &Node) {
        match &node.value {
            Value::Scalar(_) => {}
            Value::Sequence(items) => {
                for (index, item) in items.iter().enumerate() {
                    self.under_index(index, |reader| reader.check_keys(item));
                }
            }
            Value::Mapping(entries) => {
                for entry in repeated_keys(entries) {
                    self.refuse_repeated(entry);
                }
                for entry in entries {
                    self.under_key(&entry.key, |reader| reader.check_keys(&entry.value));
                }
            }
        }
    }

    fn refuse_repeated(&mut self, entry: &Entry) {
        let what = format!("key \"{}\" is repeated", shortened(&entry.key));
        self.refuse(
            entry.key_at,
            Refusal::new(what, &entry.key, "each key once"),
        );
    }

    /// Notes that a name is defined.
    pub(crate) fn define(&mut self, family: &'static str, name: Name, at: Span) {
        let place = Place {
            at,
            path: self.path.clone(),
        };
        self.definitions
            .entry(family)
            .or_default()
            .push((name, place));
    }

    /// Notes that a name is used.
    pub(crate) fn refer(&mut self, family: &'static str, name: Name, at: Span) {
        let place = Place {
            at,
            path: self.path.clone(),
        };
        self.references.push(Reference {
            family,
            name,
            place,
        });
    }

    /// Refuses names that are used and not defined; warns of names that are defined and not used.
    pub(crate) fn check_names(&mut self) {
        let references = std::mem::take(&mut self.references);
        let definitions = std::mem::take(&mut self.definitions);
        let none = Vec::new();
        let known: HashSet<(&str, &Name)> = definitions
            .iter()
            .flat_map(|(family, defined)| defined.iter().map(|(name, _)| (*family, name)))
            .collect();
        let used: HashSet<(&str, &Name)> = references
            .iter()
            .map(|reference| (reference.family, &reference.name))
            .collect();
        for Reference {
            family,
            name,
            place,
        } in &references
        {
            if !known.contains(&(*family, name)) {
                let defined = definitions.get(family).unwrap_or(&none).iter();
                // Beyond the listed problems nobody reads what was expected.
                let names_max = if self.errors.is_full() { 0 } else { usize::MAX };
                let known: Vec<&str> = defined.take(names_max).map(|(name, _)| &**name).collect();
                self.refuse_at(place, undefined(family, name, &known));
            }
        }
        let filters = definitions.get("filter").unwrap_or(&none);
        for (name, place) in definitions.get("function").unwrap_or(&none) {
            if filters.iter().any(|(filter, _)| filter == name) {
                // Tickets for maps are made out to a name.
                let what = format!("there is a filter \"{}\", too", shortened(name));
                let expected = "a name that no filter has";
                self.refuse_at(place, Refusal::new(what, name, expected));
            }
        }
        for (family, defined) in &definitions {
            let callable = *family == "cluster" && definitions.contains_key("filter");
            for (name, place) in defined {
                let is_used = used.contains(&(*family, name));
                // A plugin may call any cluster, and only says so while it runs.
                if !is_used && !callable {
                    let what = format!("{family} \"{name}\" is used nowhere");
                    self.warn_at(place, Refusal::new(what, name, ""));
                }
            }
        }
    }
}

fn undefined(family: &str, name: &str, known: &[&str]) -> Refusal {
    // Memory is always there.
    let (built_in, also) = match family {
        "store" => (Some(crate::file::stores::MEMORY), "memory, or "),
        _ => (None, ""),
    };
    let expected = match known {
        [] => format!("{also}a {family} defined under {family}s, which has none"),
        known => format!(
            "{also}a defined {family}: {}",
            alternatives(known.iter().copied())
        ),
    };
    let what = format!("unknown {family} \"{}\"", shortened(name));
    Refusal::new(what, name, expected).suggest(nearest(name, known.iter().copied().chain(built_in)))
}

impl<T: Shape> Shape for Placed<T> {
    fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        let place = reader.place(node);
        T::read(node, reader).map(|value| Self { value, place })
    }

    fn sort(catalog: &mut Catalog) -> Sort {
        T::sort(catalog)
    }

    fn show(&self) -> serde_json::Value {
        self.value.show()
    }
}
