//! The attribute list: what `proxy_get_property` finds under which path (Proxy-Wasm reference 5.4).

use std::net::SocketAddr;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use weir_guest::{Reply, Status};
use weir_model::limits;

use super::grants::Messages;
use super::sight::{names_of, names_of_state};
use super::{LiveWorld, Outcome};
use crate::exchange::grpc_status_of;
use crate::foreign::{PropertyKind, Span};
use crate::listen::Connection;
use crate::message::{FieldValue, HeaderList, Pseudo, Side};
use crate::property::{Metadata, PropertyError, SiteMetadata, Value, segments};
use crate::stream::{Access, Facts, Property, Stream};
use crate::touched::Kind;

type Found = Result<Value, PropertyError>;

const MISSING: PropertyError = PropertyError::NotFound;

/// What an attribute may be read from.
struct Sight<'s> {
    stream: &'s Stream,
    /// What stands for the messages of a filter that does not see all of them.
    seen: Option<&'s Messages>,
    metadata: &'s SiteMetadata,
    access: Access,
    keeps_request: bool,
}

impl LiveWorld {
    pub(super) fn property(&self, path: &[u8]) -> Outcome {
        self.note_property(path, Kind::Property);
        let value = self.attribute_at(path).and_then(|value| value.serialize());
        value.map(Reply::Bytes).map_err(status_of)
    }

    fn attribute_at(&self, path: &[u8]) -> Found {
        let segments = segments(path);
        match self.attribute(&segments) {
            Err(PropertyError::NotFound) => self.filter_state(path),
            found => found,
        }
    }

    /// What the filter sees of an attribute; also what expressions look up.
    pub(super) fn attribute(&self, segments: &[&[u8]]) -> Found {
        let value = self.whole_attribute(segments)?;
        self.seen_value(|| names_of(segments), value)
    }

    /// An attribute by its segments.
    fn whole_attribute(&self, segments: &[&[u8]]) -> Found {
        let Some((first, rest)) = segments.split_first() else {
            return Err(PropertyError::SerializationFailure);
        };
        match *first {
            b"plugin_name" => self.of_plugin(rest, |filter| &filter.name),
            b"plugin_root_id" => self.of_plugin(rest, |filter| &filter.root_id),
            b"plugin_vm_id" => self.of_plugin(rest, |filter| &filter.vm_id),
            b"node" => self.shared.process.node.property(rest),
            b"xds" if rest.first() == Some(&&b"node"[..]) => {
                self.shared.process.node.property(&rest[1..])
            }
            b"listener_direction" => Ok(Value::Int(0)),
            b"plugin_vm_memory" if self.speaks_higress() => {
                let slot = self.slot.upgrade().ok_or(MISSING)?;
                Ok(Value::Uint(slot.memory_bytes()))
            }
            b"filter_state" if !rest.is_empty() => self.set_on_stream(rest),
            _ => self.of_stream(first, rest),
        }
    }

    fn of_plugin(
        &self,
        rest: &[&[u8]],
        read: impl Fn(&weir_model::Filter) -> &weir_model::Name,
    ) -> Found {
        let root = self.root().ok_or(MISSING)?;
        leaf(Value::text(read(&root.filter)), rest)
    }

    fn of_stream(&self, first: &[u8], rest: &[&[u8]]) -> Found {
        if rest.is_empty() && is_group(first) {
            return Err(PropertyError::SerializationFailure);
        }
        let (stream, stage) = self.stream().ok_or(MISSING)?;
        let stream = &*stream.borrow();
        let access = stream.access.get(stage).copied().unwrap_or_default();
        // Higress serves the request's own attributes to the end of the stream.
        let keeps_request = stage != usize::MAX && self.speaks_higress();
        let seen = self.seen_messages(stream, first);
        let sight = Sight {
            seen: seen.as_ref(),
            stream,
            metadata: &self.shared.process.metadata,
            access,
            keeps_request,
        };
        sight.attribute(first, rest)
    }

    /// What filters set on the stream, by the same path or below `filter_state`.
    fn filter_state(&self, path: &[u8]) -> Found {
        let (stream, _) = self.stream().ok_or(MISSING)?;
        let stream = stream.borrow();
        let name = path.strip_suffix(b"\0").unwrap_or(path);
        let name = name.strip_prefix(b"filter_state\0wasm.").unwrap_or(name);
        if name.contains(&0) {
            return Err(MISSING);
        }
        let property = stream.property(name).ok_or(MISSING)?;
        self.seen_value(
            || names_of_state(name),
            Value::Bytes(property.value.clone()),
        )
    }

    /// What filters set on the stream, as expressions see it.
    fn set_on_stream(&self, rest: &[&[u8]]) -> Found {
        let (stream, _) = self.stream().ok_or(MISSING)?;
        let name = rest[0].strip_prefix(b"wasm.").ok_or(MISSING)?;
        let stream = stream.borrow();
        let property = stream.property(name).ok_or(MISSING)?;
        let bytes = property.value.clone();
        let value = match property.kind {
            PropertyKind::String => Value::String(bytes),
            PropertyKind::Bytes | PropertyKind::FlatBuffers | PropertyKind::Protobuf => {
                Value::Bytes(bytes)
            }
        };
        let value = self.seen_value(|| names_of_state(name), value)?;
        leaf(value, &rest[1..])
    }

    pub(super) fn set_property(&self, path: &[u8], value: &[u8]) -> Outcome {
        self.note_property(path, Kind::WrittenProperty);
        let (stream, stage) = self.stream().ok_or(Status::NotFound)?;
        if !self.may_set(path) {
            return Ok(Reply::Done);
        }
        let stream = &mut *stream.borrow_mut();
        if self.speaks_higress()
            && let Some(outcome) = self.set_magic(stream, stage, (path, value))
        {
            return outcome;
        }
        let others: usize = stream
            .properties
            .iter()
            .filter(|property| property.path != path)
            .map(|property| property.path.len() + property.value.len())
            .sum();
        if others + path.len() + value.len() > limits::STREAM_PROPERTIES_BYTES_MAX {
            return Err(Status::InternalFailure);
        }
        let value = Bytes::copy_from_slice(value);
        if let Some(known) = stream
            .properties
            .iter_mut()
            .find(|property| property.path == path)
        {
            if known.is_read_only {
                return Err(Status::BadArgument);
            }
            known.value = value;
            keep_on_connection(&stream.facts.connection, known);
            return Ok(Reply::Done);
        }
        let declared = self.root().and_then(|root| {
            let mut declared = root.declared.iter();
            declared.find(|known| known.name.as_bytes() == path)
        });
        let property = Property {
            path: Bytes::copy_from_slice(path),
            value,
            is_read_only: declared.is_some_and(|known| known.readonly),
            kind: declared.map(|known| known.kind).unwrap_or_default(),
            span: declared.map(|known| known.span).unwrap_or_default(),
        };
        keep_on_connection(&stream.facts.connection, &property);
        stream.properties.push(property);
        Ok(Reply::Done)
    }
}

/// A property that was declared so outlives its stream: later ones of the connection begin with it.
fn keep_on_connection(connection: &Connection, property: &Property) {
    if property.span != Span::DownstreamConnection {
        return;
    }
    let kept = &mut *connection.properties.borrow_mut();
    match kept.iter_mut().find(|known| known.path == property.path) {
        Some(known) => known.clone_from(property),
        None => kept.push(property.clone()),
    }
}

fn status_of(error: PropertyError) -> Status {
    match error {
        PropertyError::NotFound => Status::NotFound,
        PropertyError::SerializationFailure => Status::SerializationFailure,
        PropertyError::InternalFailure => Status::InternalFailure,
    }
}

fn is_group(first: &[u8]) -> bool {
    matches!(
        first,
        b"request"
            | b"response"
            | b"connection"
            | b"upstream"
            | b"source"
            | b"destination"
            | b"xds"
            | b"filter_state"
    )
}

/// A value that has nothing below it.
fn leaf(value: Value, rest: &[&[u8]]) -> Found {
    if rest.is_empty() {
        Ok(value)
    } else {
        Err(MISSING)
    }
}

impl Sight<'_> {
    fn facts(&self) -> &Facts {
        &self.stream.facts
    }

    /// TCP connections have no requests (as measured with Envoy 1.40).
    fn is_tcp(&self) -> bool {
        self.stream.lanes.is_some()
    }

    fn attribute(&self, first: &[u8], rest: &[&[u8]]) -> Found {
        match first {
            b"route_name" => leaf(self.route_name()?, rest),
            b"cluster_name" => leaf(self.cluster_name()?, rest),
            b"connection_id" => leaf(Value::Uint(self.facts().connection.id), rest),
            b"request" => self.request(rest),
            b"response" => self.response(rest),
            b"source" => address(Some(self.facts().connection.peer), rest),
            b"destination" => address(Some(self.facts().connection.local), rest),
            b"connection" => self.connection(rest),
            b"upstream" => self.upstream(rest),
            b"xds" => self.xds(rest),
            // No filter of this gateway adds to what the listener gives.
            b"metadata" | b"listener_metadata" => self.listener_metadata().property(rest),
            b"route_metadata" => self.route_metadata()?.property(rest),
            b"cluster_metadata" => self.cluster_metadata()?.property(rest),
            b"upstream_host_metadata" => self.host_metadata(rest),
            _ => Err(MISSING),
        }
    }

    fn route_name(&self) -> Found {
        self.facts()
            .route
            .as_deref()
            .map(Value::text)
            .ok_or(MISSING)
    }

    fn cluster_name(&self) -> Found {
        self.facts()
            .cluster
            .as_deref()
            .map(Value::text)
            .ok_or(MISSING)
    }

    fn listener_metadata(&self) -> &Metadata {
        let index = self.facts().connection.seat.index;
        self.metadata.listener(index)
    }

    fn route_metadata(&self) -> Result<&Metadata, PropertyError> {
        let index = self.facts().connection.seat.index;
        let route = self.facts().route_index.ok_or(MISSING)?;
        Ok(self.metadata.route(index, route))
    }

    fn cluster_metadata(&self) -> Result<&Metadata, PropertyError> {
        let cluster = self.facts().cluster.as_ref().ok_or(MISSING)?;
        Ok(self.metadata.cluster(cluster))
    }

    /// Endpoints and places have no metadata of their own.
    fn host_metadata(&self, below: &[&[u8]]) -> Found {
        self.facts().upstream.ok_or(MISSING)?;
        leaf(Value::Null, below)
    }

    fn request_headers(&self) -> Option<&HeaderList> {
        let is_visible =
            self.access.request_headers || self.stream.is_logging || self.keeps_request;
        is_visible.then(|| {
            self.seen
                .map_or(&self.stream.request.headers, |seen| &seen.request)
        })
    }

    fn response_headers(&self) -> Option<&HeaderList> {
        let is_visible = self.access.response_headers || self.stream.is_logging;
        is_visible.then(|| {
            self.seen
                .map_or(&self.stream.response.headers, |seen| &seen.response)
        })
    }

    fn response_trailers(&self) -> Option<&HeaderList> {
        let is_visible = self.access.response_trailers || self.stream.is_logging;
        let trailers = match self.seen {
            Some(seen) => seen.trailers.as_ref(),
            None => self.stream.response.trailers.as_ref(),
        };
        trailers.filter(|_| is_visible)
    }

    fn request(&self, rest: &[&[u8]]) -> Found {
        let (name, below) = rest
            .split_first()
            .ok_or(PropertyError::SerializationFailure)?;
        let facts = self.facts();
        let value = match *name {
            b"headers" => return header_map(self.request_headers(), below, Side::Request),
            b"time" => Value::Timestamp(unix_nanos(facts.started_wall)),
            b"duration" if !self.is_tcp() => {
                let ended = facts.ended.ok_or(MISSING)?;
                Value::Duration(nanos(ended - facts.started))
            }
            b"protocol" if !self.is_tcp() => Value::literal(facts.protocol),
            b"size" => self.request_size()?,
            b"total_size" => int(facts.request_bytes + bytes_of(self.request_headers())),
            b"headers_bytes" => int(bytes_of(self.request_headers())),
            name => self.request_text(name)?,
        };
        leaf(value, below)
    }

    fn request_size(&self) -> Found {
        let declared = self
            .request_headers()
            .and_then(|list| list.field(&http::header::CONTENT_LENGTH))
            .map(|value| value.text().and_then(|text| text.parse::<u64>().ok()));
        match declared {
            Some(length) => length.map(int).ok_or(MISSING),
            None => Ok(int(self.facts().request_bytes)),
        }
    }

    fn request_text(&self, name: &[u8]) -> Found {
        let list = self.request_headers().ok_or(MISSING)?;
        let path = || {
            list.pseudo(Pseudo::Path)
                .map(FieldValue::as_bytes)
                .ok_or(MISSING)
        };
        match name {
            b"path" => Ok(text(path()?)),
            b"url_path" => Ok(text(
                path()?
                    .split(|byte| *byte == b'?')
                    .next()
                    .unwrap_or_default(),
            )),
            b"query" => Ok(text(query_of(path()?))),
            b"host" => pseudo(list, Pseudo::Authority),
            b"scheme" => pseudo(list, Pseudo::Scheme),
            b"method" => pseudo(list, Pseudo::Method),
            b"referer" => field(list, &http::header::REFERER),
            b"useragent" => field(list, &http::header::USER_AGENT),
            b"id" => first(list, b"x-request-id"),
            _ => Err(MISSING),
        }
    }

    fn response(&self, rest: &[&[u8]]) -> Found {
        let (name, below) = rest
            .split_first()
            .ok_or(PropertyError::SerializationFailure)?;
        let facts = self.facts();
        let value = match *name {
            b"headers" => return header_map(self.response_headers(), below, Side::Response),
            b"trailers" => {
                return header_map(self.response_trailers(), below, Side::Response);
            }
            b"code" if facts.status != 0 => int(u64::from(facts.status)),
            b"code_details" => Value::text(facts.details.as_deref().ok_or(MISSING)?),
            b"flags" => int(facts.flags.bits),
            b"grpc_status" => self.grpc_status()?,
            b"headers_bytes" => int(bytes_of(self.response_headers())),
            b"size" => int(facts.response_bytes),
            b"total_size" => int(facts.response_bytes
                + bytes_of(self.response_headers())
                + bytes_of(self.response_trailers())),
            b"backend_latency" => Value::Duration(nanos(facts.backend_latency.ok_or(MISSING)?)),
            _ => return Err(MISSING),
        };
        leaf(value, below)
    }

    /// From trailers, else headers, as far as they are current, else by the HTTP status.
    fn grpc_status(&self) -> Found {
        let status = self.facts().status;
        [self.response_trailers(), self.response_headers()]
            .into_iter()
            .flatten()
            .filter_map(|list| list.first(b"grpc-status", Side::Response))
            .find_map(|value| value.text()?.parse::<u64>().ok())
            .or_else(|| (status != 0).then(|| u64::from(grpc_status_of(status))))
            .map(int)
            .ok_or(MISSING)
    }

    fn connection(&self, rest: &[&[u8]]) -> Found {
        let (name, below) = rest
            .split_first()
            .ok_or(PropertyError::SerializationFailure)?;
        let value = match *name {
            b"id" => Value::Uint(self.facts().connection.id),
            b"mtls" => Value::Bool(false),
            b"requested_server_name" => Value::literal(""),
            _ => return Err(MISSING),
        };
        leaf(value, below)
    }

    fn upstream(&self, rest: &[&[u8]]) -> Found {
        let (name, below) = rest
            .split_first()
            .ok_or(PropertyError::SerializationFailure)?;
        let facts = self.facts();
        let value = match *name {
            b"address" | b"port" => return address(facts.upstream, rest),
            b"local_address" => Value::text(&facts.upstream_local.ok_or(MISSING)?.to_string()),
            b"transport_failure_reason" if facts.attempts > 0 || self.is_tcp() => {
                Value::text(facts.upstream_failure.as_deref().unwrap_or_default())
            }
            b"request_attempt_count" => Value::Uint(u64::from(facts.attempts)),
            b"cx_pool_ready_duration" if facts.upstream.is_some() => {
                Value::Duration(nanos(facts.pool_ready))
            }
            b"num_endpoints" if facts.cluster.is_some() => Value::Uint(facts.endpoints as u64),
            _ => return Err(MISSING),
        };
        leaf(value, below)
    }

    fn xds(&self, rest: &[&[u8]]) -> Found {
        let (name, below) = rest
            .split_first()
            .ok_or(PropertyError::SerializationFailure)?;
        let value = match *name {
            b"route_name" => self.route_name()?,
            b"cluster_name" => self.cluster_name()?,
            b"filter_chain_name" => Value::literal(""),
            b"virtual_host_name" if !self.is_tcp() => Value::literal(""),
            b"listener_direction" => Value::Int(0),
            b"listener_metadata" => return self.listener_metadata().property(below),
            b"route_metadata" => return self.route_metadata()?.property(below),
            b"cluster_metadata" => return self.cluster_metadata()?.property(below),
            b"upstream_host_metadata" | b"upstream_host_locality_metadata" => {
                return self.host_metadata(below);
            }
            b"virtual_host_metadata" => return self.metadata.nothing().property(below),
            _ => return Err(MISSING),
        };
        leaf(value, below)
    }
}

fn address(address: Option<SocketAddr>, rest: &[&[u8]]) -> Found {
    let (name, below) = rest
        .split_first()
        .ok_or(PropertyError::SerializationFailure)?;
    let address = address.ok_or(MISSING)?;
    let value = match *name {
        b"address" => Value::text(&address.to_string()),
        b"port" => int(u64::from(address.port())),
        _ => return Err(MISSING),
    };
    leaf(value, below)
}

/// All headers as a map, or one by name; values of a repeated name are joined with commas.
fn header_map(list: Option<&HeaderList>, below: &[&[u8]], side: Side) -> Found {
    let joined = |list: &HeaderList, name: &[u8]| {
        let values: Vec<_> = list.all(name, side).map(FieldValue::as_bytes).collect();
        (!values.is_empty()).then(|| Value::String(values.join(&b","[..]).into()))
    };
    match below {
        [] => {
            let mut entries: Vec<(Bytes, Value)> = Vec::new();
            for (name, _) in list.into_iter().flat_map(HeaderList::iter) {
                if !entries.iter().any(|(known, _)| known == name)
                    && let Some(value) = list.and_then(|list| joined(list, name))
                {
                    entries.push((Bytes::copy_from_slice(name), value));
                }
            }
            Ok(Value::Map(entries))
        }
        [name] => list.and_then(|list| joined(list, name)).ok_or(MISSING),
        _ => Err(MISSING),
    }
}

fn pseudo(list: &HeaderList, name: Pseudo) -> Found {
    list.pseudo(name)
        .map(|value| text(value.as_bytes()))
        .ok_or(MISSING)
}

fn field(list: &HeaderList, name: &http::HeaderName) -> Found {
    list.field(name)
        .map(|value| text(value.as_bytes()))
        .ok_or(MISSING)
}

fn first(list: &HeaderList, name: &[u8]) -> Found {
    list.first(name, Side::Request)
        .map(|value| text(value.as_bytes()))
        .ok_or(MISSING)
}

fn query_of(path: &[u8]) -> &[u8] {
    let Some(mark) = path.iter().position(|byte| *byte == b'?') else {
        return &[];
    };
    path[mark + 1..]
        .split(|byte| *byte == b'#')
        .next()
        .unwrap_or_default()
}

fn text(bytes: &[u8]) -> Value {
    Value::String(Bytes::copy_from_slice(bytes))
}

/// What the headers weigh that are current; nothing if they are not.
fn bytes_of(list: Option<&HeaderList>) -> u64 {
    list.map_or(0, |list| list.bytes() as u64)
}

fn int(number: u64) -> Value {
    Value::Int(i64::try_from(number).unwrap_or(i64::MAX))
}

fn nanos(duration: Duration) -> i64 {
    i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX)
}

fn unix_nanos(time: SystemTime) -> i64 {
    time.duration_since(std::time::UNIX_EPOCH).map_or(0, nanos)
}
