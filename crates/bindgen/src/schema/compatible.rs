//! What of a schema may change while entries of the old one are there.
//!
//! New fields, cases, flags and maps may come, and fields may go: what is unknown is kept as it is. A
//! number means one name and one type for ever.

use std::collections::BTreeSet;

use thiserror::Error;

use super::{Case, Field, Kind, Map, Name, Record, Schema, Stored, Type, TypeId};

/// Why entries of the old schema cannot be read with the new one.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("map `{map}`: {place}: {what}")]
pub struct Break {
    /// The map.
    pub map: String,
    /// `key`, or the path to what changed, as `user.address.street`.
    pub place: String,
    /// What changed.
    pub what: String,
}

struct Check<'s> {
    old: &'s Schema,
    new: &'s Schema,
    map: &'s str,
    gone: Gone,
    breaks: Vec<Break>,
    /// Types that were compared: each pair once, or types that hold each other twice would be
    /// compared without end.
    seen: BTreeSet<(TypeId, TypeId)>,
}

/// What a field that is gone means.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Gone {
    Fine,
    Broken,
}

/// All that makes entries of the old schema unreadable; nothing if there is none. Maps that are gone
/// or new break nothing.
#[must_use]
pub fn compatible(old: &Schema, new: &Schema) -> Vec<Break> {
    compared((old, new), Gone::Fine)
}

/// Whether the new schema knows all that the old one knew, so that a later one need only be compared
/// with the new one.
#[must_use]
pub fn covers(new: &Schema, old: &Schema) -> bool {
    let is_there = |map: &Map| new.map(&map.name).is_some();
    old.maps.iter().all(is_there) && compared((old, new), Gone::Broken).is_empty()
}

fn compared((old, new): (&Schema, &Schema), gone: Gone) -> Vec<Break> {
    let mut breaks = Vec::new();
    for map in &old.maps {
        let Some(now) = new.map(&map.name) else {
            continue;
        };
        let mut check = Check {
            old,
            new,
            map: &map.name,
            gone,
            breaks: Vec::new(),
            seen: BTreeSet::new(),
        };
        check.map(map, now);
        breaks.append(&mut check.breaks);
    }
    breaks
}

impl Check<'_> {
    fn broken(&mut self, place: &str, what: String) {
        let found = Break {
            map: self.map.to_owned(),
            place: place.to_owned(),
            what,
        };
        if !self.breaks.contains(&found) {
            self.breaks.push(found);
        }
    }

    fn map(&mut self, old: &Map, new: &Map) {
        if old.key != new.key {
            let what = format!("was {} and is {}", old.key.text(), new.key.text());
            self.broken("key", what);
        }
        match (old.value, new.value) {
            (Stored::Message(was), Stored::Message(is)) => {
                let name = self.old.definition(was).name.clone();
                self.types(&name, was, is);
            }
            (Stored::Layout(was), Stored::Layout(is)) => {
                let name = self.old.definition(was).name.clone();
                let size = |schema: &Schema, id| super::layout(schema, id).map(|laid| laid.size);
                if size(self.old, was) != size(self.new, is) {
                    let what = "its size changed, and C's layout has no room for that".to_owned();
                    self.broken(&name, what);
                }
                self.types(&name, was, is);
            }
            (was, is) if was == is => {}
            (was, is) => {
                let what = format!("was {} and is {}", stored(was), stored(is));
                self.broken("value", what);
            }
        }
    }

    fn types(&mut self, place: &str, old: TypeId, new: TypeId) {
        if !self.seen.insert((old, new)) {
            return;
        }
        match (
            &self.old.definition(old).kind,
            &self.new.definition(new).kind,
        ) {
            (Kind::Record(was), Kind::Record(is)) => self.records(place, was, is),
            (Kind::Variant(was), Kind::Variant(is)) => self.variants(place, was, is),
            (Kind::Enum(was), Kind::Enum(is)) | (Kind::Flags(was), Kind::Flags(is)) => {
                self.names(place, was, is);
            }
            (was, is) => {
                let what = format!("was {} and is {}", kind(was), kind(is));
                self.broken(place, what);
            }
        }
    }

    fn records(&mut self, place: &str, old: &Record, new: &Record) {
        for was in &old.fields {
            let at = format!("{place}.{}", was.name);
            let same_number = new.fields.iter().find(|is| is.number == was.number);
            match same_number {
                Some(is) if is.name == was.name => self.fields(&at, was, is),
                Some(is) => {
                    let what = format!(
                        "its number {} is now that of `{}`; give that one a new number",
                        was.number, is.name
                    );
                    self.broken(&at, what);
                }
                None => {
                    if let Some(is) = new.fields.iter().find(|is| is.name == was.name) {
                        self.broken(&at, renumbered(was.number, is.number));
                    } else if self.gone == Gone::Broken {
                        self.broken(&at, "is gone".to_owned());
                    }
                }
            }
        }
    }

    fn fields(&mut self, place: &str, old: &Field, new: &Field) {
        if old.rule != new.rule {
            let what = format!("was {} and is {}", rule(old), rule(new));
            self.broken(place, what);
        }
        self.parts(place, Some(old.ty), Some(new.ty));
    }

    fn parts(&mut self, place: &str, old: Option<Type>, new: Option<Type>) {
        match (old, new) {
            (Some(Type::Named(was)), Some(Type::Named(is))) => self.types(place, was, is),
            (was, is) if was == is => {}
            (was, is) => {
                let text = |ty: Option<Type>, schema: &Schema| match ty {
                    Some(ty) => ty.text(schema) + writing(ty),
                    None => "without a value".to_owned(),
                };
                let what = format!("was {} and is {}", text(was, self.old), text(is, self.new));
                self.broken(place, what);
            }
        }
    }

    fn variants(&mut self, place: &str, old: &[Case], new: &[Case]) {
        for was in old {
            let at = format!("{place}.{}", was.name);
            match new.iter().find(|is| is.name == was.name) {
                Some(is) if is.number == was.number => self.parts(&at, was.ty, is.ty),
                Some(is) => self.broken(&at, renumbered(was.number, is.number)),
                None => self.broken(&at, "is gone, and entries may hold it".to_owned()),
            }
        }
    }

    fn names(&mut self, place: &str, old: &[Name], new: &[Name]) {
        for was in old {
            let at = format!("{place}.{}", was.name);
            match new.iter().find(|is| is.name == was.name) {
                Some(is) if is.number == was.number => {}
                Some(is) => self.broken(&at, renumbered(was.number, is.number)),
                None => self.broken(&at, "is gone, and entries may hold it".to_owned()),
            }
        }
    }
}

fn renumbered(old: impl std::fmt::Display, new: impl std::fmt::Display) -> String {
    format!("its number was {old} and is {new}")
}

const fn kind(kind: &Kind) -> &'static str {
    match kind {
        Kind::Record(_) => "a record",
        Kind::Variant(_) => "a variant",
        Kind::Enum(_) => "an enum",
        Kind::Flags(_) => "flags",
    }
}

const fn rule(field: &Field) -> &'static str {
    match field.rule {
        super::Rule::Plain => "always there",
        super::Rule::Optional => "optional",
        super::Rule::Repeated => "a list",
    }
}

const fn stored(value: Stored) -> &'static str {
    match value {
        Stored::Message(_) => "a message",
        Stored::Layout(_) => "a record laid out as in C",
        Stored::Bytes => "bytes",
        Stored::Text => "text",
        Stored::Counter => "a counter",
    }
}

/// How an integer is written, if not in the usual way.
const fn writing(ty: Type) -> &'static str {
    match ty {
        Type::Int(int) => match int.form {
            super::Form::Varint => "",
            super::Form::ZigZag => " (zigzag)",
            super::Form::Fixed => " (fixed)",
        },
        _ => "",
    }
}
