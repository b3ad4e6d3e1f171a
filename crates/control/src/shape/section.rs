//! Sections: mappings with fixed keys, each defined once.

use crate::problem::{Refusal, alternatives, nearest, shortened};
use crate::shape::catalog::Outline;
use crate::shape::{Reader, Shape};
use crate::yaml::{Entry, Node, Value};

/// Defines a section: a struct, its reader and its description.
///
/// A key without a default is required. `later` names keys of the target shape that this release
/// refuses with an explanation; `short` is the key that a value other than a mapping stands for.
macro_rules! section {
    (
        $(#[doc = $doc:literal])+
        struct $name:ident = $title:literal {
            $( $(#[doc = $key_doc:literal])+ $key:ident : $type:ty $(= $default:expr)? ; )+
        }
        $( later { $( $later:literal => $brings:literal ),+ $(,)? } )?
        $( short $short:literal; )?
        $( exactly_one [ $( $one:literal ),+ $(,)? ] )*
        $( at_most_one [ $( $most:literal ),+ $(,)? ] )*
    ) => {
        $(#[doc = $doc])+
        #[derive(Clone, Debug)]
        pub(crate) struct $name {
            $( $(#[doc = $key_doc])+ pub(crate) $key: $type, )+
        }

        impl $name {
            const OUTLINE: &'static $crate::shape::catalog::Outline =
                &$crate::shape::catalog::Outline {
                    name: $title,
                    keys: &[$( $crate::shape::section::key_name(stringify!($key)) ),+],
                    later: &[$($( ($later, $brings) ),+)?],
                    short: $crate::shape::section::section!(@short $($short)?),
                    exactly_one: &[$( &[$( $one ),+] ),*],
                    at_most_one: &[$( &[$( $most ),+] ),*],
                };
        }

        impl $crate::shape::Shape for $name {
            fn read(
                node: &$crate::yaml::Node,
                reader: &mut $crate::shape::Reader<'_>,
            ) -> Option<Self> {
                let keys = $crate::shape::section::read_keys(node, Self::OUTLINE, reader)?;
                $( let $key: Option<$type> = keys.value(
                    $crate::shape::section::key_name(stringify!($key)),
                    $crate::shape::section::section!(@default $type $(, $default)?),
                    reader,
                ); )+
                Some(Self { $( $key: $key? ),+ })
            }

            fn show(&self) -> serde_json::Value {
                let mut shown = serde_json::Map::new();
                $( shown.insert(
                    $crate::shape::section::key_name(stringify!($key)).to_owned(),
                    $crate::shape::Shape::show(&self.$key),
                ); )+
                shown.retain(|_, value| !value.is_null());
                serde_json::Value::Object(shown)
            }

            fn sort(catalog: &mut $crate::shape::Catalog) -> $crate::shape::Sort {
                catalog.section(Self::OUTLINE, |catalog| $crate::shape::catalog::Section {
                    name: $title,
                    doc: concat!($( $doc ),+).trim().to_owned(),
                    keys: vec![$( $crate::shape::catalog::Key {
                        name: $crate::shape::section::key_name(stringify!($key)),
                        doc: concat!($( $key_doc ),+).trim().to_owned(),
                        sort: <$type as $crate::shape::Shape>::sort(catalog),
                        need: $crate::shape::section::section!(@need $type $(, $default)?),
                    } ),+],
                    outline: Self::OUTLINE,
                })
            }
        }
    };
    (@default $type:ty) => { None::<fn() -> $type> };
    (@default $type:ty, $default:expr) => { Some((|| $default) as fn() -> $type) };
    (@need $type:ty) => { $crate::shape::catalog::Need::Required };
    (@need $type:ty, $default:expr) => {
        $crate::shape::catalog::Need::Optional(<$type as $crate::shape::Shape>::show(&$default))
    };
    (@short) => { None };
    (@short $short:literal) => { Some($short) };
}
pub(crate) use section;

/// The keys of a section that are there.
pub(crate) struct Keys<'n> {
    present: Vec<(&'n str, &'n Node)>,
    section: &'n Node,
    excused: Excused,
}

/// Which keys are not reported as missing, because a reported key stands in their place.
enum Excused {
    /// Those that misspelt keys are meant to be.
    Meant(Vec<String>),
    /// All: a key of a later release is there.
    All,
}

/// The name of a key whose identifier may be raw (`r#match`).
pub(crate) const fn key_name(identifier: &'static str) -> &'static str {
    match identifier.as_bytes() {
        [b'r', b'#', ..] => identifier.split_at(2).1,
        _ => identifier,
    }
}

/// Finds the keys of a section and reports those that do not belong there.
pub(crate) fn read_keys<'n>(
    node: &'n Node,
    outline: &'static Outline,
    reader: &mut Reader<'_>,
) -> Option<Keys<'n>> {
    let entries = match (&node.value, outline.short) {
        (Value::Mapping(entries), _) => entries,
        (_, Some(short)) if !is_nothing(node) => {
            let excused = Excused::Meant(Vec::new());
            return Some(Keys {
                present: vec![(short, node)],
                section: node,
                excused,
            });
        }
        (Value::Scalar(_) | Value::Sequence(_), _) => {
            reader.refuse_kind(node, format!("a mapping with {}", outline.alternatives()));
            return None;
        }
    };
    let mut present: Vec<(&str, &Node)> = Vec::new();
    let mut meant = Vec::new();
    for entry in entries {
        if outline.keys.contains(&entry.key.as_str()) {
            if !present.iter().any(|(key, _)| *key == entry.key) {
                present.push((&entry.key, &entry.value));
            }
        } else {
            let refusal = outline.misplaced(entry);
            meant.extend(refusal.suggestion.clone());
            reader.refuse(entry.key_at, refusal);
        }
    }
    let excused = if has_later(outline, entries) {
        Excused::All
    } else {
        Excused::Meant(meant)
    };
    check_groups(node, outline, (entries, &excused), reader);
    Some(Keys {
        present,
        section: node,
        excused,
    })
}

impl Keys<'_> {
    /// Reads the value of a key; its default if it is left out, or wrong and reported.
    pub(crate) fn value<T: Shape>(
        &self,
        key: &'static str,
        default: Option<fn() -> T>,
        reader: &mut Reader<'_>,
    ) -> Option<T> {
        let Some((_, node)) = self.present.iter().find(|(present, _)| *present == key) else {
            if default.is_none() && !self.excused.covers(key) {
                let refusal = Refusal::new(format!("key \"{key}\" is missing"), "", "");
                reader.refuse(self.section.at, refusal);
            }
            return default.map(|default| default());
        };
        // A shorthand is the value of its key, without a step in the path.
        let value = if std::ptr::eq(*node, self.section) {
            T::read(node, reader)
        } else {
            reader.under_key(key, |reader| T::read(node, reader))
        };
        value.or_else(|| default.map(|default| default()))
    }
}

impl Excused {
    fn covers(&self, key: &str) -> bool {
        match self {
            Self::Meant(keys) => keys.iter().any(|meant| meant == key),
            Self::All => true,
        }
    }
}

impl Outline {
    fn alternatives(&self) -> String {
        match self.keys {
            [one] => format!("the key {one}"),
            keys => format!("one of the keys {}", alternatives(keys.iter().copied())),
        }
    }

    fn misplaced(&self, entry: &Entry) -> Refusal {
        let key = &entry.key;
        if let Some((_, brings)) = self.later.iter().find(|(later, _)| later == key) {
            return not_available(&format!("\"{key}\" ({brings})"), key);
        }
        let what = format!("unknown key \"{}\"", shortened(key));
        Refusal::new(what, key, self.alternatives())
            .suggest(nearest(key, self.keys.iter().copied()))
    }
}

/// A refusal of something that a later release brings.
pub(crate) fn not_available(subject: &str, found: &str) -> Refusal {
    let what = format!("not available in this version: {subject}");
    Refusal::new(what, found, "a configuration without it")
}

fn check_groups(
    node: &Node,
    outline: &'static Outline,
    (entries, excused): (&[Entry], &Excused),
    reader: &mut Reader<'_>,
) {
    let groups = (outline.exactly_one.iter().map(|group| (group, true)))
        .chain(outline.at_most_one.iter().map(|group| (group, false)));
    for (group, is_needed) in groups {
        let mut present = entries
            .iter()
            .filter(|entry| group.contains(&entry.key.as_str()));
        let first = present.next();
        let second = present.find(|entry| first.is_none_or(|first| first.key != entry.key));
        let names = alternatives(group.iter().copied());
        match (first, second) {
            (Some(first), Some(second)) => {
                let what = format!("\"{}\" beside \"{}\"", second.key, first.key);
                let expected = format!("only one of {names}");
                reader.refuse(second.key_at, Refusal::new(what, &second.key, expected));
            }
            (None, _) if is_needed && !group.iter().any(|key| excused.covers(key)) => {
                let what = format!("incomplete {}", outline.name);
                let expected = match group {
                    [one] => format!("the key {one}"),
                    _ => format!("one of {names}"),
                };
                reader.refuse(node.at, Refusal::new(what, "", expected));
            }
            (Some(_) | None, _) => {}
        }
    }
}

/// Whether a key of a later release is there, which is reported and may be the one that is needed.
fn has_later(outline: &'static Outline, entries: &[Entry]) -> bool {
    entries
        .iter()
        .any(|entry| outline.later.iter().any(|(later, _)| *later == entry.key))
}

fn is_nothing(node: &Node) -> bool {
    matches!(&node.value, Value::Scalar(scalar) if scalar.sort() == crate::yaml::Sort::Null)
}
