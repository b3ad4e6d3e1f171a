//! From types as they are written to a schema: names are looked up, numbers are given, and what has
//! no form of its own in a message gets a message around it.

mod maps;
mod numbers;

use std::collections::HashMap;

use weir_model::limits::bindgen as limits;

use crate::expression::{Expression, Kind as Written, Primitive};
use crate::name::kebab;
use crate::problem::{Place, Problem};
use crate::schema::{
    Bits, Case, Definition, Field, Form, Int, Kind, Name, Record, Rule, Schema, Shape, Sign, Type,
    TypeId,
};

/// A declared type.
#[derive(Clone, Debug)]
pub(crate) struct Raw {
    /// Its name in kebab case.
    pub(crate) name: String,
    /// Where it is declared: tells twins of several interfaces apart.
    pub(crate) interface: String,
    pub(crate) docs: String,
    pub(crate) place: Place,
    pub(crate) kind: RawKind,
}

#[derive(Clone, Debug)]
pub(crate) enum RawKind {
    Record(Vec<RawMember>),
    Variant(Vec<RawMember>),
    Enum(Vec<RawMember>),
    Flags(Vec<RawMember>),
    Alias(Expression),
}

/// A field, case or flag.
#[derive(Clone, Debug)]
pub(crate) struct RawMember {
    pub(crate) name: String,
    pub(crate) docs: String,
    /// What `@n` says.
    pub(crate) number: Option<u32>,
    pub(crate) ty: Option<Expression>,
}

/// The work.
#[derive(Debug, Default)]
pub(crate) struct Lowering {
    pub(crate) schema: Schema,
    pub(crate) problems: Vec<Problem>,
    /// Declared types by interface and name.
    raw: HashMap<String, Raw>,
    /// What has been lowered.
    known: HashMap<String, (Rule, Type)>,
    /// What is being lowered.
    open: Vec<String>,
    /// Where records have their messages around them: its depth by type.
    depths: Vec<usize>,
    /// Of how many values the default of each type is made.
    sizes: Vec<usize>,
    names: HashMap<String, TypeId>,
}

/// The key of a type in the tables.
pub(crate) fn path(interface: &str, name: &str) -> String {
    format!("{interface}#{}", kebab(name))
}

impl Lowering {
    /// Takes a type in that may be asked for.
    pub(crate) fn declare(&mut self, raw: Raw) {
        self.raw.insert(path(&raw.interface, &raw.name), raw);
    }

    /// Makes a finished type known under a name.
    pub(crate) fn know(&mut self, interface: &str, name: &str, ty: Type) {
        self.known.insert(path(interface, name), (Rule::Plain, ty));
    }

    /// The types that can be asked for in an interface.
    pub(crate) fn names_in(&self, interface: &str) -> Vec<String> {
        let prefix = format!("{interface}#");
        let all = self.raw.keys().chain(self.known.keys());
        let mut names: Vec<String> = all
            .filter_map(|key| key.strip_prefix(&prefix))
            .map(str::to_owned)
            .collect();
        names.sort();
        names.dedup();
        names
    }

    /// The interfaces that there are.
    pub(crate) fn interfaces(&self) -> Vec<String> {
        let all = self.raw.keys().chain(self.known.keys());
        let mut names: Vec<String> = all
            .filter_map(|key| key.split('#').next())
            .map(str::to_owned)
            .collect();
        names.sort();
        names.dedup();
        names
    }

    /// Lowers every declared type.
    pub(crate) fn all(&mut self) {
        let mut paths: Vec<(Place, String)> = self
            .raw
            .iter()
            .map(|(key, raw)| (raw.place.clone(), key.clone()))
            .collect();
        paths.sort();
        for (_, path) in paths {
            self.declared(&path);
        }
    }

    pub(crate) fn problem(&mut self, place: &Place, found: String, expected: impl Into<String>) {
        self.problems
            .push(Problem::new(place.clone(), found, expected));
    }

    /// Adds a type; its parts are there already.
    pub(crate) fn add(&mut self, mut definition: Definition, place: &Place) -> TypeId {
        let depth = definition.kind.depth(&self.depths);
        if depth > limits::VALUE_DEPTH_MAX {
            let found = format!("`{}` is too deep", definition.name);
            let expected = format!("at most {} records in each other", limits::VALUE_DEPTH_MAX);
            self.problem(place, found, expected);
        }
        let parts = definition.kind.default_parts(&self.sizes);
        if parts > limits::DEFAULT_PARTS_MAX {
            let found = format!("a default `{}` would have {parts} values", definition.name);
            let expected = format!("at most {}", limits::DEFAULT_PARTS_MAX);
            self.problem(place, found, expected);
        }
        if definition.kind.parts() > limits::PARTS_MAX {
            let found = format!(
                "`{}` has {} parts",
                definition.name,
                definition.kind.parts()
            );
            self.problem(place, found, format!("at most {}", limits::PARTS_MAX));
        }
        if self.schema.types.len() == limits::TYPES_MAX {
            let expected = format!("at most {}", limits::TYPES_MAX);
            self.problem(place, "there are too many types".to_owned(), expected);
        }
        let id = TypeId(self.schema.types.len());
        let wanted = definition.name.clone();
        for twin in 2.. {
            if !self.names.contains_key(&definition.name) {
                break;
            }
            definition.name = format!("{wanted}-{twin}");
        }
        self.names.insert(definition.name.clone(), id);
        self.schema.types.push(definition);
        self.depths.push(depth);
        // One that was told is enough: those around it are not told too.
        let is_told = parts > limits::DEFAULT_PARTS_MAX;
        self.sizes.push(if is_told { 1 } else { parts });
        id
    }

    /// The form of a declared type; none if it is not there or wrong, which is noted.
    fn declared(&mut self, path: &str) -> Option<(Rule, Type)> {
        if let Some(known) = self.known.get(path) {
            return Some(*known);
        }
        let raw = self.raw.get(path)?.clone();
        if self.open.iter().any(|open| open == path) || self.open.len() > limits::VALUE_DEPTH_MAX {
            let found = format!("`{}` contains itself", raw.name);
            self.problem(&raw.place, found, "a type that ends");
            return None;
        }
        self.open.push(path.to_owned());
        let form = self.raw_form(&raw);
        self.open.pop();
        let form = form?;
        self.known.insert(path.to_owned(), form);
        Some(form)
    }

    fn raw_form(&mut self, raw: &Raw) -> Option<(Rule, Type)> {
        let kind = match &raw.kind {
            RawKind::Alias(expression) => return self.form(expression, &raw.name),
            RawKind::Record(members) => self.record(raw, members)?,
            RawKind::Variant(members) => self.variant(raw, members)?,
            RawKind::Enum(members) => Kind::Enum(self.named(raw, members, numbers::Of::Enum)?),
            RawKind::Flags(members) => Kind::Flags(self.named(raw, members, numbers::Of::Flags)?),
        };
        let definition = Definition {
            name: raw.name.clone(),
            docs: raw.docs.clone(),
            kind,
        };
        let id = self.add(definition, &raw.place);
        Some((Rule::Plain, Type::Named(id)))
    }

    fn record(&mut self, raw: &Raw, members: &[RawMember]) -> Option<Kind> {
        let numbers = numbers::given(raw, members, numbers::Of::Fields, &mut self.problems)?;
        let mut fields = Vec::new();
        for (member, number) in members.iter().zip(numbers) {
            let written = member.ty.as_ref()?;
            let (rule, ty) = self.form(written, &format!("{}-{}", raw.name, member.name))?;
            fields.push(Field {
                name: member.name.clone(),
                docs: member.docs.clone(),
                number,
                rule,
                ty,
            });
        }
        fields.sort_by_key(|field| field.number);
        let shape = Shape::Fields;
        Some(Kind::Record(Record { shape, fields }))
    }

    fn variant(&mut self, raw: &Raw, members: &[RawMember]) -> Option<Kind> {
        let numbers = numbers::given(raw, members, numbers::Of::Fields, &mut self.problems)?;
        let mut cases = Vec::new();
        for (member, number) in members.iter().zip(numbers) {
            let context = format!("{}-{}", raw.name, member.name);
            let ty = match &member.ty {
                Some(written) => Some(self.item(written, &context)?),
                None => None,
            };
            cases.push(Case {
                name: member.name.clone(),
                docs: member.docs.clone(),
                number,
                ty,
            });
        }
        Some(Kind::Variant(cases))
    }

    fn named(&mut self, raw: &Raw, members: &[RawMember], of: numbers::Of) -> Option<Vec<Name>> {
        let numbers = numbers::given(raw, members, of, &mut self.problems)?;
        let names = members.iter().zip(numbers).map(|(member, number)| Name {
            name: member.name.clone(),
            docs: member.docs.clone(),
            number: number.cast_signed(),
        });
        Some(names.collect())
    }

    /// What an expression is as a field. `context` names what has no name.
    pub(crate) fn form(&mut self, written: &Expression, context: &str) -> Option<(Rule, Type)> {
        match &written.kind {
            Written::Primitive(primitive) => Some((Rule::Plain, primitive_type(*primitive))),
            Written::List(item) if item.kind == Written::Primitive(Primitive::U8) => {
                Some((Rule::Plain, Type::Bytes))
            }
            Written::List(item) => Some((Rule::Repeated, self.item(item, context)?)),
            Written::Option(item) => Some((Rule::Optional, self.item(item, context)?)),
            Written::Tuple(items) => self.tuple(items, context, &written.place),
            Written::Result(ok, error) => {
                let parts = [("ok", ok.as_deref()), ("err", error.as_deref())];
                self.result(parts, context, &written.place)
            }
            Written::Name(path) => {
                let found = self.declared(path);
                if found.is_none() && !self.raw.contains_key(path) {
                    self.unknown(path, &written.place);
                }
                found
            }
        }
    }

    fn unknown(&mut self, path: &str, place: &Place) {
        let (interface, name) = path.split_once('#').unwrap_or(("", path));
        let names = self.names_in(interface);
        let expected = if names.is_empty() {
            "a type that `use` names, as in `use types.{user};`".to_owned()
        } else {
            format!("one of {}", names.join(", "))
        };
        self.problem(place, format!("there is no type `{name}`"), expected);
    }

    /// A type that can stand in a list, an option or a case: with a message around it if need be.
    fn item(&mut self, written: &Expression, context: &str) -> Option<Type> {
        let (rule, ty) = self.form(written, &format!("{context}-item"))?;
        if rule == Rule::Plain {
            return Some(ty);
        }
        Some(self.wrapped(rule, ty, context, &written.place))
    }

    /// A message around a value.
    pub(crate) fn wrapped(&mut self, rule: Rule, ty: Type, context: &str, place: &Place) -> Type {
        let name = if rule == Rule::Repeated {
            "items"
        } else {
            "value"
        };
        let field = Field {
            name: name.to_owned(),
            docs: String::new(),
            number: 1,
            rule,
            ty,
        };
        let record = Record {
            shape: Shape::Wrapper,
            fields: vec![field],
        };
        let definition = Definition {
            name: format!("{context}-{name}"),
            docs: String::new(),
            kind: Kind::Record(record),
        };
        Type::Named(self.add(definition, place))
    }

    fn tuple(
        &mut self,
        items: &[Expression],
        context: &str,
        place: &Place,
    ) -> Option<(Rule, Type)> {
        let mut fields = Vec::new();
        for (at, item) in items.iter().enumerate() {
            let name = format!("f{at}");
            let (rule, ty) = self.form(item, &format!("{context}-{name}"))?;
            fields.push(Field {
                name,
                docs: String::new(),
                number: u32::try_from(at + 1).ok()?,
                rule,
                ty,
            });
        }
        let shape = Shape::Tuple;
        let definition = Definition {
            name: context.to_owned(),
            docs: String::new(),
            kind: Kind::Record(Record { shape, fields }),
        };
        Some((Rule::Plain, Type::Named(self.add(definition, place))))
    }

    fn result(
        &mut self,
        parts: [(&str, Option<&Expression>); 2],
        context: &str,
        place: &Place,
    ) -> Option<(Rule, Type)> {
        let mut cases = Vec::new();
        for ((name, part), number) in parts.into_iter().zip(1..) {
            let ty = match part {
                Some(part) => Some(self.item(part, &format!("{context}-{name}"))?),
                None => None,
            };
            cases.push(Case {
                name: name.to_owned(),
                docs: String::new(),
                number,
                ty,
            });
        }
        let definition = Definition {
            name: context.to_owned(),
            docs: String::new(),
            kind: Kind::Variant(cases),
        };
        Some((Rule::Plain, Type::Named(self.add(definition, place))))
    }
}

fn primitive_type(primitive: Primitive) -> Type {
    let int = |bits, sign| {
        let form = match sign {
            Sign::Signed => Form::ZigZag,
            Sign::Unsigned => Form::Varint,
        };
        Type::Int(Int { bits, sign, form })
    };
    match primitive {
        Primitive::Bool => Type::Bool,
        Primitive::S8 => int(Bits::B8, Sign::Signed),
        Primitive::S16 => int(Bits::B16, Sign::Signed),
        Primitive::S32 => int(Bits::B32, Sign::Signed),
        Primitive::S64 => int(Bits::B64, Sign::Signed),
        Primitive::U8 => int(Bits::B8, Sign::Unsigned),
        Primitive::U16 => int(Bits::B16, Sign::Unsigned),
        Primitive::U32 => int(Bits::B32, Sign::Unsigned),
        Primitive::U64 => int(Bits::B64, Sign::Unsigned),
        Primitive::F32 => Type::F32,
        Primitive::F64 => Type::F64,
        Primitive::Char => Type::Char,
        Primitive::String => Type::String,
    }
}
