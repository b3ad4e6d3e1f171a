//! Types of `.wit` files.
//!
//! `@n` on a line of its own in a field's comment (`/// @n`) is the field's number.

use weir_model::limits::bindgen as limits;
use wit_parser::{Docs, Resolve, SourceMap, Type, TypeDefKind, TypeOwner};

use super::Source;
use crate::expression::{Expression, Kind, Primitive};
use crate::lower::{Lowering, Raw, RawKind, RawMember, path};
use crate::name::kebab;
use crate::problem::{Place, Problem};

/// Takes in the types of these files, which are one package.
pub(super) fn declare(sources: &[&Source], lowering: &mut Lowering) {
    if sources.is_empty() {
        return;
    }
    let mut map = SourceMap::new();
    let has_package = |source: &&&Source| {
        source
            .text
            .lines()
            .any(|line| line.trim_start().starts_with("package "))
    };
    if !sources.iter().any(|source| has_package(&source)) {
        map.push_str("(package)", "package weir:types;");
    }
    for source in sources {
        map.push_str(&source.name, &source.text);
    }
    let mut resolve = Resolve::default();
    let group = match map.parse() {
        Ok(group) => group,
        Err((map, error)) => {
            lowering.problems.push(told(&error.render(&map)));
            return;
        }
    };
    let spans = group.source_map.clone();
    if let Err(error) = resolve.push_group(group) {
        lowering.problems.push(told(&error.render(&spans)));
        return;
    }
    let reader = Reader { resolve: &resolve };
    for (_, ty) in &resolve.types {
        if let (Some(name), Some(interface)) = (&ty.name, reader.interface(ty.owner)) {
            reader.declare(ty, name, &interface, lowering);
        }
    }
}

/// The parser's words, with the place that they name.
fn told(text: &str) -> Problem {
    let mut lines = text.lines();
    let found = lines.next().unwrap_or("a mistake").to_owned();
    let place = lines
        .find_map(|line| line.trim_start().strip_prefix("--> "))
        .map(|at| {
            let mut parts = at.rsplitn(3, ':');
            let column = parts
                .next()
                .and_then(|part| part.trim().parse().ok())
                .unwrap_or(0);
            let line = parts.next().and_then(|part| part.parse().ok()).unwrap_or(0);
            Place {
                file: parts.next().unwrap_or(at).to_owned(),
                line,
                column,
            }
        });
    Problem::new(place.unwrap_or_else(|| Place::of_file(".wit")), found, "")
}

struct Reader<'r> {
    resolve: &'r Resolve,
}

impl Reader<'_> {
    fn interface(&self, owner: TypeOwner) -> Option<String> {
        match owner {
            TypeOwner::Interface(id) => self
                .resolve
                .id_of(id)
                .or_else(|| self.resolve.interfaces[id].name.clone()),
            TypeOwner::World(_) | TypeOwner::None => None,
        }
    }

    fn place(&self, span: wit_parser::Span) -> Place {
        let location = self.resolve.render_location(span);
        let mut parts = location.rsplitn(3, ':');
        let column = parts.next().and_then(|part| part.parse().ok()).unwrap_or(0);
        let line = parts.next().and_then(|part| part.parse().ok()).unwrap_or(0);
        Place {
            file: parts.next().unwrap_or_default().to_owned(),
            line,
            column,
        }
    }

    fn declare(
        &self,
        ty: &wit_parser::TypeDef,
        name: &str,
        interface: &str,
        lowering: &mut Lowering,
    ) {
        let place = self.place(ty.span);
        let mut member = |name: &str, docs: &Docs, ty: Option<&Type>| {
            let (docs, number) = said(docs);
            let member = RawMember {
                name: kebab(name),
                docs,
                number: match number {
                    Some(Ok(number)) => Some(number),
                    Some(Err(found)) => {
                        lowering.problem(&place, found, "`@` and a number, as in `/// @3`");
                        None
                    }
                    None => None,
                },
                ty: ty.and_then(|ty| self.expression(*ty, &place, 0, lowering)),
            };
            // What could not be read is noted.
            (member.ty.is_some() || ty.is_none()).then_some(member)
        };
        let kind = match &ty.kind {
            TypeDefKind::Record(record) => {
                let fields = record.fields.iter();
                let fields =
                    fields.filter_map(|field| member(&field.name, &field.docs, Some(&field.ty)));
                Some(RawKind::Record(fields.collect()))
            }
            TypeDefKind::Variant(variant) => {
                let cases = variant.cases.iter();
                let cases =
                    cases.filter_map(|case| member(&case.name, &case.docs, case.ty.as_ref()));
                Some(RawKind::Variant(cases.collect()))
            }
            TypeDefKind::Enum(list) => {
                let cases = list.cases.iter();
                let cases = cases.filter_map(|case| member(&case.name, &case.docs, None));
                Some(RawKind::Enum(cases.collect()))
            }
            TypeDefKind::Flags(list) => {
                let flags = list.flags.iter();
                let flags = flags.filter_map(|flag| member(&flag.name, &flag.docs, None));
                Some(RawKind::Flags(flags.collect()))
            }
            // Handles are no values; they are a mistake where a value's type names them.
            TypeDefKind::Resource | TypeDefKind::Handle(_) => None,
            other => self.anonymous(other, &place, 0, lowering).map(|kind| {
                RawKind::Alias(Expression {
                    kind,
                    place: place.clone(),
                })
            }),
        };
        if let Some(kind) = kind {
            lowering.declare(Raw {
                name: kebab(name),
                interface: interface.to_owned(),
                docs: said(&ty.docs).0,
                place,
                kind,
            });
        }
    }

    fn expression(
        &self,
        ty: Type,
        place: &Place,
        depth: usize,
        lowering: &mut Lowering,
    ) -> Option<Expression> {
        if depth > limits::TYPE_DEPTH_MAX {
            let expected = format!("at most {} types in each other", limits::TYPE_DEPTH_MAX);
            lowering.problem(place, "a type is too deep".to_owned(), expected);
            return None;
        }
        let primitive = |primitive| Some(Kind::Primitive(primitive));
        let kind = match ty {
            Type::Bool => primitive(Primitive::Bool),
            Type::U8 => primitive(Primitive::U8),
            Type::U16 => primitive(Primitive::U16),
            Type::U32 => primitive(Primitive::U32),
            Type::U64 => primitive(Primitive::U64),
            Type::S8 => primitive(Primitive::S8),
            Type::S16 => primitive(Primitive::S16),
            Type::S32 => primitive(Primitive::S32),
            Type::S64 => primitive(Primitive::S64),
            Type::F32 => primitive(Primitive::F32),
            Type::F64 => primitive(Primitive::F64),
            Type::Char => primitive(Primitive::Char),
            Type::String => primitive(Primitive::String),
            Type::ErrorContext => {
                let found = "an error context cannot be kept in a map".to_owned();
                lowering.problem(place, found, "a type that is a value");
                None
            }
            Type::Id(id) => {
                let found = &self.resolve.types[id];
                match (&found.name, self.interface(found.owner)) {
                    (Some(name), Some(interface)) if is_value(&found.kind) => {
                        Some(Kind::Name(path(&interface, name)))
                    }
                    _ => self.anonymous(&found.kind, place, depth, lowering),
                }
            }
        };
        let place = place.clone();
        kind.map(|kind| Expression { kind, place })
    }

    fn anonymous(
        &self,
        kind: &TypeDefKind,
        place: &Place,
        depth: usize,
        lowering: &mut Lowering,
    ) -> Option<Kind> {
        let mut part = |ty: &Type| self.expression(*ty, place, depth + 1, lowering);
        let optional = |ty: Option<Option<Expression>>| ty.map(|part| part.map(Box::new));
        match kind {
            TypeDefKind::Tuple(tuple) => {
                let parts: Option<Vec<_>> = tuple.types.iter().map(part).collect();
                parts.map(Kind::Tuple)
            }
            TypeDefKind::Option(ty) => part(ty).map(|ty| Kind::Option(Box::new(ty))),
            TypeDefKind::List(ty) => part(ty).map(|ty| Kind::List(Box::new(ty))),
            TypeDefKind::Result(result) => {
                let ok = optional(result.ok.as_ref().map(&mut part));
                let error = optional(result.err.as_ref().map(&mut part));
                match (ok, error) {
                    (Some(None), _) | (_, Some(None)) => None,
                    (ok, error) => Some(Kind::Result(ok.flatten(), error.flatten())),
                }
            }
            TypeDefKind::Type(ty) => part(ty).map(|ty| ty.kind),
            TypeDefKind::Record(_)
            | TypeDefKind::Variant(_)
            | TypeDefKind::Enum(_)
            | TypeDefKind::Flags(_)
            | TypeDefKind::Resource
            | TypeDefKind::Handle(_)
            | TypeDefKind::Map(..)
            | TypeDefKind::FixedLengthList(..)
            | TypeDefKind::Future(_)
            | TypeDefKind::Stream(_)
            | TypeDefKind::Unknown => {
                let found = format!("a {} cannot be kept in a map", kind.as_str());
                let expected = "records, variants, enums, flags, tuples, lists, options, results, numbers or text";
                lowering.problem(place, found, expected);
                None
            }
        }
    }
}

/// Whether a type with a name can be kept at all; what cannot is told where it is used.
const fn is_value(kind: &TypeDefKind) -> bool {
    !matches!(
        kind,
        TypeDefKind::Resource
            | TypeDefKind::Handle(_)
            | TypeDefKind::Map(..)
            | TypeDefKind::FixedLengthList(..)
            | TypeDefKind::Future(_)
            | TypeDefKind::Stream(_)
    )
}

/// A comment without the line that gives a number, and that number.
fn said(docs: &Docs) -> (String, Option<Result<u32, String>>) {
    let Some(text) = &docs.contents else {
        return (String::new(), None);
    };
    let mut number = None;
    let mut kept = Vec::new();
    for line in text.lines() {
        match line.trim().strip_prefix('@') {
            Some(digits) => {
                number = Some(
                    digits
                        .parse()
                        .map_err(|_| format!("`@{digits}` is no number of a field")),
                );
            }
            None => kept.push(line.trim()),
        }
    }
    (kept.join("\n").trim().to_owned(), number)
}
