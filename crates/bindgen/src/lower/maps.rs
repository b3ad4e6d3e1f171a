//! From the declaration of a map to what it holds.

use std::collections::HashMap;

use weir_model::limits::bindgen as limits;

use super::{Lowering, path};
use crate::declaration::{Declarations, Encoding, MapDeclaration};
use crate::expression::{Expression, Kind as Written};
use crate::name::kebab;
use crate::problem::Place;
use crate::schema::{Bits, Key, Kind, Map, Rule, Sign, Stored, Type, TypeId, layout};

const NAME_BYTES_MAX: usize = 256;

impl Lowering {
    /// Lowers the maps of a file and the types that they need.
    pub(crate) fn declarations(&mut self, declarations: &Declarations) {
        let names = self.used(declarations);
        if self.schema.maps.len() + declarations.maps.len() > limits::MAPS_MAX {
            let place = &declarations.maps[limits::MAPS_MAX - self.schema.maps.len()].place;
            let expected = format!("at most {}", limits::MAPS_MAX);
            self.problem(place, "there are too many maps".to_owned(), expected);
            return;
        }
        for declared in &declarations.maps {
            if let Some(map) = self.map(declared, &names) {
                self.schema.maps.push(map);
            }
        }
    }

    /// The names that `use` brings in, each with where it leads.
    fn used(&mut self, declarations: &Declarations) -> HashMap<String, String> {
        let mut names = HashMap::new();
        for used in &declarations.uses {
            let Some(interface) = self.interface(&used.path) else {
                let all = self.interfaces();
                let expected = if all.is_empty() {
                    "a .wit or .proto file that has it, given or beside this file".to_owned()
                } else {
                    format!("one of {}", all.join(", "))
                };
                let found = format!("there is no interface `{}`", used.path);
                self.problem(&used.place, found, expected);
                continue;
            };
            let there = self.names_in(&interface);
            for (name, place) in &used.names {
                if !there.contains(&kebab(name)) {
                    let found = format!("there is no type `{name}` in `{}`", used.path);
                    self.problem(place, found, format!("one of {}", there.join(", ")));
                }
                names.insert(kebab(name), path(&interface, name));
            }
        }
        names
    }

    /// The interface that a path names: in full, or by its last part if that is clear.
    fn interface(&self, path: &str) -> Option<String> {
        let all = self.interfaces();
        if let Some(exact) = all.iter().find(|name| name.as_str() == path) {
            return Some(exact.clone());
        }
        let is_short_for = |name: &&String| {
            let full = name.split('@').next().unwrap_or(name);
            full == path || full.rsplit('/').next() == Some(path)
        };
        let mut matches = all.iter().filter(is_short_for);
        let first = matches.next()?;
        matches.next().is_none().then(|| first.clone())
    }

    fn map(&mut self, declared: &MapDeclaration, names: &HashMap<String, String>) -> Option<Map> {
        if declared.name.len() > NAME_BYTES_MAX {
            let found = "the map's name is too long".to_owned();
            let expected = format!("at most {NAME_BYTES_MAX} bytes");
            self.problem(&declared.place, found, expected);
        }
        let key = resolved(&declared.key, names);
        let value = resolved(&declared.value, names);
        let key = self.key(&key);
        let value = self.value(declared, &value);
        Some(Map {
            name: declared.name.clone(),
            docs: declared.docs.clone(),
            key: key?,
            value: value?,
            policy: declared.options.policy,
            storage: declared.options.storage.clone(),
            ttl_ms: declared.options.ttl_ms,
        })
    }

    fn key(&mut self, written: &Expression) -> Option<Key> {
        let (rule, ty) = self.form(written, "key")?;
        let key = match ty {
            Type::Bool => Some(Key::Bool),
            Type::Int(int) => Some(Key::Int(int.bits, int.sign)),
            Type::String => Some(Key::String),
            Type::Bytes => Some(Key::Bytes),
            Type::F32 | Type::F64 | Type::Char | Type::Named(_) => None,
        };
        if let (Some(key), Rule::Plain) = (key, rule) {
            return Some(key);
        }
        let found = "this cannot be the type of keys".to_owned();
        let expected = "`string`, `list<u8>`, `bool` or an integer: they have an order in bytes";
        self.problem(&written.place, found, expected);
        None
    }

    fn value(&mut self, declared: &MapDeclaration, written: &Expression) -> Option<Stored> {
        let context = format!("{}-value", kebab(&declared.name));
        let (rule, ty) = self.form(written, &context)?;
        let (encoding, place) = match &declared.options.encoding {
            Some((encoding, place)) => (*encoding, place.clone()),
            None if rule == Rule::Plain && raw(ty).is_some() => {
                (Encoding::Raw, written.place.clone())
            }
            None => (Encoding::Protobuf, written.place.clone()),
        };
        match encoding {
            Encoding::Protobuf => Some(Stored::Message(self.message(rule, ty, declared))),
            Encoding::C => self.laid_out(rule, ty, &place),
            Encoding::Raw => {
                let stored = raw(ty).filter(|_| rule == Rule::Plain);
                if stored.is_none() {
                    let found = "values of this type cannot be stored raw".to_owned();
                    let expected = "`list<u8>`, `string` or `s64` (a counter)";
                    self.problem(&place, found, expected);
                }
                stored
            }
        }
    }

    fn message(&mut self, rule: Rule, ty: Type, declared: &MapDeclaration) -> TypeId {
        if let (Rule::Plain, Type::Named(id), true) = (rule, ty, self.schema.is_message(ty)) {
            return id;
        }
        // One name for the message of every such map, whatever is in it.
        let wrapped = self.wrapped(rule, ty, &kebab(&declared.name), &declared.place);
        match wrapped {
            Type::Named(id) => id,
            _ => TypeId(0),
        }
    }

    fn laid_out(&mut self, rule: Rule, ty: Type, place: &Place) -> Option<Stored> {
        let expected = "a record of numbers, bools, enums, flags and such records";
        let id = match (rule, ty) {
            (Rule::Plain, Type::Named(id))
                if matches!(self.schema.definition(id).kind, Kind::Record(_)) =>
            {
                id
            }
            _ => {
                self.problem(
                    place,
                    "only records have the layout of C".to_owned(),
                    expected,
                );
                return None;
            }
        };
        match layout(&self.schema, id) {
            Ok(_) => Some(Stored::Layout(id)),
            Err(error) => {
                self.problem(place, error.to_string(), expected);
                None
            }
        }
    }
}

/// How values are stored that need no message.
fn raw(ty: Type) -> Option<Stored> {
    match ty {
        Type::Bytes => Some(Stored::Bytes),
        Type::String => Some(Stored::Text),
        Type::Int(int) if int.bits == Bits::B64 && int.sign == Sign::Signed => {
            Some(Stored::Counter)
        }
        _ => None,
    }
}

/// The expression with names that lead somewhere.
fn resolved(written: &Expression, names: &HashMap<String, String>) -> Expression {
    let inner = |part: &Expression| Box::new(resolved(part, names));
    let kind = match &written.kind {
        Written::Primitive(primitive) => Written::Primitive(*primitive),
        Written::List(item) => Written::List(inner(item)),
        Written::Option(item) => Written::Option(inner(item)),
        Written::Tuple(items) => {
            Written::Tuple(items.iter().map(|item| resolved(item, names)).collect())
        }
        Written::Result(ok, error) => {
            Written::Result(ok.as_deref().map(inner), error.as_deref().map(inner))
        }
        Written::Name(name) => {
            let path = names.get(&kebab(name)).cloned();
            Written::Name(path.unwrap_or_else(|| name.clone()))
        }
    };
    Expression {
        kind,
        place: written.place.clone(),
    }
}
