//! Messages and services of `.proto` files.
//!
//! A message whose fields are all of one `oneof` is a variant; other members of a `oneof` are
//! optional fields. A `map<…>` field is a list of records `key`, `value`, as it is on the wire.

use std::collections::HashMap;

use protox::file::{ChainFileResolver, File, FileResolver, GoogleFileResolver};
use protox::prost_reflect::{
    Cardinality, EnumDescriptor, FieldDescriptor, FileDescriptor, Kind as Proto, MessageDescriptor,
    ServiceDescriptor, Syntax,
};

use super::Source;
use crate::lower::Lowering;
use crate::name::{kebab, shouting};
use crate::problem::{Place, Problem};
use crate::schema::{
    Bits, Case, Definition, Field, Form, Int, Kind, Method, Name, Record, Rule, Service, Shape,
    Sign, Type, TypeId,
};

/// The files that `import` finds.
struct Given(HashMap<String, String>);

impl FileResolver for Given {
    fn open_file(&self, name: &str) -> Result<File, protox::Error> {
        match self.0.get(name) {
            Some(text) => File::from_source(name, text),
            None => Err(protox::Error::file_not_found(name)),
        }
    }
}

/// Takes in the messages and services of these files.
pub(super) fn declare(sources: &[&Source], beside: &[&Source], lowering: &mut Lowering) {
    if sources.is_empty() {
        return;
    }
    let all = beside.iter().chain(sources);
    let files = all
        .map(|source| (source.file().to_owned(), source.text.clone()))
        .collect();
    let mut resolver = ChainFileResolver::new();
    resolver.add(Given(files));
    resolver.add(GoogleFileResolver::new());
    let mut compiler = protox::Compiler::with_file_resolver(resolver);
    compiler.include_source_info(true);
    for source in sources {
        if let Err(error) = compiler.open_file(source.file()) {
            lowering.problems.push(told(source, &error));
            return;
        }
    }
    let mut reader = Reader {
        lowering,
        done: HashMap::new(),
        open: Vec::new(),
        refused: Vec::new(),
        comments: HashMap::new(),
        interface: String::new(),
    };
    let pool = compiler.descriptor_pool();
    for source in sources {
        if let Some(file) = pool.get_file_by_name(source.file()) {
            reader.file(&file, source);
        }
    }
}

/// The compiler's words, with the place that they name.
fn told(source: &Source, error: &protox::Error) -> Problem {
    let shown = format!("{error:?}");
    let mut parts = shown.splitn(4, ':');
    let (file, line, column) = (parts.next(), parts.next(), parts.next());
    let numbers = (
        line.and_then(|line| line.parse().ok()),
        column.and_then(|column| column.parse().ok()),
    );
    if let (Some(file), (Some(line), Some(column)), Some(found)) = (file, numbers, parts.next()) {
        let file = if file == source.file() {
            &source.name
        } else {
            file
        };
        let place = Place {
            file: file.to_owned(),
            line,
            column,
        };
        return Problem::new(place, found.trim(), "");
    }
    Problem::new(Place::of_file(&source.name), error.to_string(), "")
}

struct Reader<'l> {
    lowering: &'l mut Lowering,
    /// What has been read, by full name.
    done: HashMap<String, TypeId>,
    open: Vec<String>,
    /// What has been refused.
    refused: Vec<String>,
    /// Comments of the files, by file and path.
    comments: HashMap<(String, Vec<i32>), String>,
    interface: String,
}

impl Reader<'_> {
    fn file(&mut self, file: &FileDescriptor, source: &Source) {
        let stem = source.file().trim_end_matches(".proto");
        stem.clone_into(&mut self.interface);
        let place = Place::of_file(&source.name);
        if file.syntax() != Syntax::Proto3 {
            let found = "this file is not in the third version of the language".to_owned();
            self.lowering
                .problem(&place, found, "`syntax = \"proto3\";` at its beginning");
            return;
        }
        for message in file.messages() {
            self.messages(&message, &place);
        }
        for list in file.enums() {
            self.enumeration(&list, &place);
        }
        for service in file.services() {
            self.service(&service, &place);
        }
    }

    /// A message and those inside it.
    fn messages(&mut self, message: &MessageDescriptor, place: &Place) {
        self.message(message, place);
        for list in message.child_enums() {
            self.enumeration(&list, place);
        }
        for inner in message
            .child_messages()
            .filter(|inner| !inner.is_map_entry())
        {
            self.messages(&inner, place);
        }
    }

    fn docs(&mut self, file: &FileDescriptor, path: &[i32]) -> String {
        let key = |path: &[i32]| (file.name().to_owned(), path.to_vec());
        if !self.comments.contains_key(&key(&[])) {
            self.comments.insert(key(&[]), String::new());
            let source = file.file_descriptor_proto().source_code_info.as_ref();
            for location in source.iter().flat_map(|source| &source.location) {
                let lines = location.leading_comments().lines().map(str::trim);
                let text = lines.collect::<Vec<_>>().join("\n").trim().to_owned();
                if !text.is_empty() {
                    self.comments.insert(key(&location.path), text);
                }
            }
        }
        self.comments.get(&key(path)).cloned().unwrap_or_default()
    }

    /// The name inside its package, so that `Outer.Inner` is `outer-inner`.
    fn local_name(full: &str, package: &str) -> String {
        let local = full.strip_prefix(package).unwrap_or(full);
        kebab(local.trim_start_matches('.'))
    }

    fn know(&mut self, full: &str, name: &str, id: TypeId) {
        self.done.insert(full.to_owned(), id);
        let interface = self.interface.clone();
        self.lowering.know(&interface, name, Type::Named(id));
    }

    fn message(&mut self, message: &MessageDescriptor, place: &Place) -> Option<TypeId> {
        let full = message.full_name();
        if let Some(id) = self.done.get(full) {
            return Some(*id);
        }
        if self.refused.iter().any(|refused| refused == full) {
            return None;
        }
        if self.open.iter().any(|open| open == full) {
            self.refused.append(&mut self.open.clone());
            let found = format!("message `{full}` contains itself");
            let expected = "a message that ends: values of maps have a depth that is known";
            self.lowering.problem(place, found, expected);
            return None;
        }
        self.open.push(full.to_owned());
        let kind = self.message_kind(message, place);
        self.open.pop();
        let name = Self::local_name(full, message.package_name());
        let definition = Definition {
            docs: self.docs(&message.parent_file(), message.path()),
            name: name.clone(),
            kind: kind?,
        };
        let id = self.lowering.add(definition, place);
        self.know(full, &name, id);
        Some(id)
    }

    fn message_kind(&mut self, message: &MessageDescriptor, place: &Place) -> Option<Kind> {
        let mut oneofs = message.oneofs().filter(|oneof| !oneof.is_synthetic());
        let only = oneofs.next().filter(|_| oneofs.next().is_none());
        let is_variant = only.is_some_and(|oneof| oneof.fields().len() == message.fields().len());
        let mut fields = Vec::new();
        for field in message.fields() {
            fields.push(self.field(&field, place)?);
        }
        fields.sort_by_key(|field| field.number);
        if is_variant {
            let cases = fields.into_iter().map(|field| Case {
                name: field.name,
                docs: field.docs,
                number: field.number,
                ty: Some(field.ty),
            });
            return Some(Kind::Variant(cases.collect()));
        }
        let shape = Shape::Fields;
        Some(Kind::Record(Record { shape, fields }))
    }

    fn field(&mut self, field: &FieldDescriptor, place: &Place) -> Option<Field> {
        let ty = self.ty(field, place)?;
        let rule = if field.cardinality() == Cardinality::Repeated {
            Rule::Repeated
        } else if field.supports_presence() {
            Rule::Optional
        } else {
            Rule::Plain
        };
        Some(Field {
            name: kebab(field.name()),
            docs: self.docs(&field.parent_message().parent_file(), field.path()),
            number: field.number(),
            rule,
            ty,
        })
    }

    fn ty(&mut self, field: &FieldDescriptor, place: &Place) -> Option<Type> {
        let int = |bits, sign, form| Some(Type::Int(Int { bits, sign, form }));
        match field.kind() {
            Proto::Double => Some(Type::F64),
            Proto::Float => Some(Type::F32),
            Proto::Int32 => int(Bits::B32, Sign::Signed, Form::Varint),
            Proto::Int64 => int(Bits::B64, Sign::Signed, Form::Varint),
            Proto::Uint32 => int(Bits::B32, Sign::Unsigned, Form::Varint),
            Proto::Uint64 => int(Bits::B64, Sign::Unsigned, Form::Varint),
            Proto::Sint32 => int(Bits::B32, Sign::Signed, Form::ZigZag),
            Proto::Sint64 => int(Bits::B64, Sign::Signed, Form::ZigZag),
            Proto::Fixed32 => int(Bits::B32, Sign::Unsigned, Form::Fixed),
            Proto::Fixed64 => int(Bits::B64, Sign::Unsigned, Form::Fixed),
            Proto::Sfixed32 => int(Bits::B32, Sign::Signed, Form::Fixed),
            Proto::Sfixed64 => int(Bits::B64, Sign::Signed, Form::Fixed),
            Proto::Bool => Some(Type::Bool),
            Proto::String => Some(Type::String),
            Proto::Bytes => Some(Type::Bytes),
            Proto::Message(message) => self.message(&message, place).map(Type::Named),
            Proto::Enum(list) => Some(Type::Named(self.enumeration(&list, place))),
        }
    }

    fn enumeration(&mut self, list: &EnumDescriptor, place: &Place) -> TypeId {
        let full = list.full_name();
        if let Some(id) = self.done.get(full) {
            return *id;
        }
        let prefix = format!("{}_", shouting(&kebab(list.name())));
        let is_prefixed = list.values().all(|value| value.name().starts_with(&prefix));
        let mut names: Vec<Name> = Vec::new();
        for value in list.values() {
            // The second name of a number is a name for reading the source, not for values.
            if names.iter().any(|name| name.number == value.number()) {
                continue;
            }
            let short = if is_prefixed {
                &value.name()[prefix.len()..]
            } else {
                value.name()
            };
            names.push(Name {
                name: kebab(short),
                docs: self.docs(&list.parent_file(), value.path()),
                number: value.number(),
            });
        }
        let name = Self::local_name(full, list.package_name());
        let definition = Definition {
            docs: self.docs(&list.parent_file(), list.path()),
            name: name.clone(),
            kind: Kind::Enum(names),
        };
        let id = self.lowering.add(definition, place);
        self.know(full, &name, id);
        id
    }

    fn service(&mut self, service: &ServiceDescriptor, place: &Place) {
        let file = service.parent_file();
        let mut methods = Vec::new();
        for method in service.methods() {
            if method.is_client_streaming() || method.is_server_streaming() {
                let found = format!("`{}` streams", method.full_name());
                self.lowering
                    .problem(place, found, "a function from one message to one message");
                continue;
            }
            let parts = (
                self.message(&method.input(), place),
                self.message(&method.output(), place),
            );
            if let (Some(input), Some(output)) = parts {
                methods.push(Method {
                    name: kebab(method.name()),
                    source_name: method.name().to_owned(),
                    docs: self.docs(&file, method.path()),
                    input,
                    output,
                });
            }
        }
        let service = Service {
            name: kebab(service.name()),
            full_name: service.full_name().to_owned(),
            docs: self.docs(&file, service.path()),
            methods,
        };
        self.lowering.schema.services.push(service);
    }
}
