//! Arguments of the foreign functions whose effect the caller carries out.

use bytes::Bytes;

use super::ForeignStatus;
use crate::protobuf::{Field, Fields, text};

/// How long a declared property or a filter state lives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Span {
    /// As long as this filter chain, which is as long as the stream.
    #[default]
    FilterChain,
    /// As long as the downstream request.
    DownstreamRequest,
    /// As long as the downstream connection.
    DownstreamConnection,
}

/// What the bytes of a declared property are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PropertyKind {
    /// Bytes.
    #[default]
    Bytes,
    /// Text.
    String,
    /// A `FlatBuffers` table.
    FlatBuffers,
    /// A protobuf message.
    Protobuf,
}

/// The argument of `declare_property`. The caller answers `BadArgument` if the name is declared
/// already in this root context.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeclareProperty {
    /// Without the prefix `wasm.`.
    pub name: String,
    /// Whether it can be set once only.
    pub readonly: bool,
    /// What its bytes are.
    pub kind: PropertyKind,
    /// Describes the bytes.
    pub schema: Bytes,
    /// How long it lives.
    pub span: Span,
}

/// The argument of `set_envoy_filter_state`. The caller answers `NotFound` if no kind of object has
/// this name, or if there is no stream.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SetFilterState {
    /// Names the kind of object.
    pub path: String,
    /// From which the object is made.
    pub value: String,
    /// How long it lives.
    pub span: Span,
}

/// The argument of Higress's `inject_encoded_data_to_filter_chain`, with or without `_on_header`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InjectData {
    /// Bytes for the response.
    pub body: Bytes,
    /// Whether they are the last.
    pub end: bool,
}

impl InjectData {
    /// Reads the argument.
    ///
    /// # Errors
    /// [`ForeignStatus::BadArgument`] for what is no such message.
    pub fn decode(argument: &[u8]) -> Result<Self, ForeignStatus> {
        let mut inject = Self::default();
        for field in Fields::of(argument) {
            match field? {
                (1, Field::Bytes(body)) => inject.body = Bytes::copy_from_slice(body),
                (2, Field::Varint(end)) => inject.end = end != 0,
                // As every protobuf reader: fields of a newer schema are skipped.
                _ => {}
            }
        }
        Ok(inject)
    }
}

impl DeclareProperty {
    /// Reads the argument.
    ///
    /// # Errors
    /// [`ForeignStatus::BadArgument`] for what is no such message.
    pub fn decode(argument: &[u8]) -> Result<Self, ForeignStatus> {
        let mut declaration = Self::default();
        for field in Fields::of(argument) {
            match field? {
                (1, Field::Bytes(name)) => text(name)?.clone_into(&mut declaration.name),
                (2, Field::Varint(readonly)) => declaration.readonly = readonly != 0,
                (3, Field::Varint(kind)) => declaration.kind = PropertyKind::of(kind),
                (4, Field::Bytes(schema)) => declaration.schema = Bytes::copy_from_slice(schema),
                (5, Field::Varint(span)) => declaration.span = Span::of(span),
                // As every protobuf reader: fields of a newer schema are skipped.
                _ => {}
            }
        }
        Ok(declaration)
    }
}

impl SetFilterState {
    /// Reads the argument.
    ///
    /// # Errors
    /// [`ForeignStatus::BadArgument`] for what is no such message.
    pub fn decode(argument: &[u8]) -> Result<Self, ForeignStatus> {
        let mut state = Self::default();
        for field in Fields::of(argument) {
            match field? {
                (1, Field::Bytes(path)) => text(path)?.clone_into(&mut state.path),
                (2, Field::Bytes(value)) => text(value)?.clone_into(&mut state.value),
                (3, Field::Varint(span)) => state.span = Span::of(span),
                _ => {}
            }
        }
        Ok(state)
    }
}

/// Numbers of a newer schema count as the default, as in Envoy.
impl Span {
    fn of(number: u64) -> Self {
        match number {
            1 => Self::DownstreamRequest,
            2 => Self::DownstreamConnection,
            _ => Self::FilterChain,
        }
    }
}

impl PropertyKind {
    fn of(number: u64) -> Self {
        match number {
            1 => Self::String,
            2 => Self::FlatBuffers,
            3 => Self::Protobuf,
            _ => Self::Bytes,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_declaration_is_read() {
        let argument = b"\x0A\x04name\x10\x01\x18\x03\x22\x02sc\x28\x02\x32\x01?";
        let expected = DeclareProperty {
            name: "name".into(),
            readonly: true,
            kind: PropertyKind::Protobuf,
            schema: Bytes::from_static(b"sc"),
            span: Span::DownstreamConnection,
        };
        assert_eq!(DeclareProperty::decode(argument), Ok(expected));
        assert_eq!(DeclareProperty::decode(b""), Ok(DeclareProperty::default()));
    }

    #[test]
    fn a_filter_state_is_read() {
        let expected = SetFilterState {
            path: "p".into(),
            value: "v".into(),
            span: Span::DownstreamRequest,
        };
        assert_eq!(
            SetFilterState::decode(b"\x0A\x01p\x12\x01v\x18\x01"),
            Ok(expected)
        );
    }

    #[test]
    fn bad_messages_are_bad_arguments() {
        for argument in [&b"\x0A\x09name"[..], b"\x0A\x01\xFF", b"\xFF"] {
            let refused = DeclareProperty::decode(argument);
            assert_eq!(refused, Err(ForeignStatus::BadArgument), "{argument:?}");
        }
        assert_eq!(
            SetFilterState::decode(b"\x18"),
            Err(ForeignStatus::BadArgument)
        );
    }

    #[test]
    fn unknown_numbers_count_as_the_default() {
        assert_eq!(
            SetFilterState::decode(b"\x18\x09"),
            Ok(SetFilterState::default())
        );
        assert_eq!(
            DeclareProperty::decode(b"\x18\x09"),
            Ok(DeclareProperty::default())
        );
    }
}
