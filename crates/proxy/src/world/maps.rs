//! Header maps and buffers of the stream that a guest acts on (Proxy-Wasm reference 2.4, 2.5).

use bytes::Bytes;
use weir_guest::door::{BufferKind, MapKind};
use weir_guest::{Reply, Status, pairs};
use weir_model::limits;

use super::{GrpcView, LiveWorld, Outcome};
use crate::message::{BodyBuffer, Full, HeaderList, Side};
use crate::stream::Stream;

/// How a map is looked at.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Use {
    Read,
    Edit,
}

impl LiveWorld {
    pub(super) fn header(&self, map: MapKind, name: &[u8]) -> Outcome {
        let side = side_of(map);
        self.note_read(map, name);
        let found = self.read_map(map, Use::Read, |list| {
            list.first(name, side)
                .map(|value| Bytes::copy_from_slice(value.as_bytes()))
        });
        let found = match found {
            // What never was is absent in the log phase, not out of reach.
            Err(_) if self.is_logging() && !is_callout(map) => None,
            found => found?,
        };
        match found {
            Some(value) => Ok(Reply::Bytes(value)),
            None if self.is_abi_0_1_0() => Ok(Reply::Bytes(Bytes::new())),
            None => Err(Status::NotFound),
        }
    }

    pub(super) fn headers(&self, map: MapKind) -> Reply {
        self.note_read(map, b"*");
        let encoded = self.read_map(map, Use::Read, |list| pairs::encode(list.iter()));
        // A map that is not there now has no pairs; only its values are refused.
        Reply::Bytes(encoded.unwrap_or_default())
    }

    pub(super) fn headers_size(&self, map: MapKind) -> Outcome {
        if is_callout(map) {
            return Err(Status::BadArgument);
        }
        let bytes = self.read_map(map, Use::Edit, HeaderList::bytes)?;
        Ok(Reply::Number(bytes as u64))
    }

    pub(super) fn edit_headers(
        &self,
        map: MapKind,
        edit: impl FnOnce(&mut HeaderList, Side) -> Result<(), Full>,
    ) -> Outcome {
        if is_callout(map) {
            return Err(Status::BadArgument);
        }
        self.with_map(map, Use::Edit, |list| edit(list, side_of(map)))?
            .map_err(|Full| Status::InternalFailure)?;
        if map == MapKind::RequestHeaders
            && let Some((stream, stage)) = self.stream()
        {
            let mut stream = stream.borrow_mut();
            let keeps = stream
                .access
                .get(stage)
                .is_some_and(|access| access.keeps_route);
            stream.route_is_stale |= !keeps;
        }
        Ok(Reply::Done)
    }

    /// Looks at what the filter sees of a map if it is there now, else `BadArgument`.
    fn read_map<T>(
        &self,
        map: MapKind,
        how: Use,
        look: impl FnOnce(&HeaderList) -> T,
    ) -> Result<T, Status> {
        self.with_map(map, how, |list| self.seen_map(map, list, look))
    }

    /// Looks at a map if it is there now, else `BadArgument`.
    fn with_map<T>(
        &self,
        map: MapKind,
        how: Use,
        look: impl FnOnce(&mut HeaderList) -> T,
    ) -> Result<T, Status> {
        if is_callout(map) {
            return self.with_callout_map(map, look);
        }
        let (stream, stage) = self.stream().ok_or(Status::BadArgument)?;
        let stream = &mut *stream.borrow_mut();
        match map_of(stream, stage, map, how) {
            Some(list) => Ok(look(list)),
            None => Err(Status::BadArgument),
        }
    }

    fn with_callout_map<T>(
        &self,
        map: MapKind,
        look: impl FnOnce(&mut HeaderList) -> T,
    ) -> Result<T, Status> {
        // As in Envoy, there is no map of what did not come.
        let list = match (map, &self.callout, &self.grpc) {
            (MapKind::CalloutHeaders, Some(view), _) if view.body.is_some() => &view.headers,
            (MapKind::CalloutTrailers, Some(view), _) if view.trailers.len() > 0 => &view.trailers,
            (MapKind::GrpcInitialMetadata, _, Some(GrpcView::Initial(list)))
            | (MapKind::GrpcTrailingMetadata, _, Some(GrpcView::Trailing(list))) => list,
            _ => return Err(Status::BadArgument),
        };
        Ok(look(&mut list.clone()))
    }

    fn is_logging(&self) -> bool {
        self.stream()
            .is_some_and(|(stream, _)| stream.borrow().is_logging)
    }

    fn is_abi_0_1_0(&self) -> bool {
        self.slot
            .upgrade()
            .is_some_and(|slot| slot.program().version == weir_guest::abi::AbiVersion::V0_1_0)
    }

    pub(super) fn buffer(&mut self, kind: BufferKind, start: u32, max: u32) -> Outcome {
        let (start, max) = (start as usize, max as usize);
        if let Some(message) = self.grpc_message(kind) {
            return Ok(Reply::Bytes(message.slice(start, max)));
        }
        if self.hides_buffer(kind) {
            return Ok(empty());
        }
        if is_live(kind) {
            let Some((stream, stage)) = self.stream() else {
                return Ok(empty());
            };
            let stream = &mut *stream.borrow_mut();
            let window = window_of(stream, stage, kind);
            return Ok(window.map_or_else(empty, |body| Reply::Bytes(body.slice(start, max))));
        }
        let bytes = self.fixed_buffer(kind)?;
        let start = start.min(bytes.len());
        let end = start.saturating_add(max).min(bytes.len());
        Ok(Reply::Bytes(bytes.slice(start..end)))
    }

    pub(super) fn buffer_length(&mut self, kind: BufferKind) -> Outcome {
        if let Some(message) = self.grpc_message(kind) {
            return Ok(Reply::Number(message.len() as u64));
        }
        if self.hides_buffer(kind) {
            return Ok(Reply::Number(0));
        }
        if is_live(kind) {
            let Some((stream, stage)) = self.stream() else {
                return Ok(Reply::Number(0));
            };
            let stream = &mut *stream.borrow_mut();
            let length = window_of(stream, stage, kind).map_or(0, |body| body.len());
            return Ok(Reply::Number(length as u64));
        }
        Ok(Reply::Number(self.fixed_buffer(kind)?.len() as u64))
    }

    pub(super) fn set_buffer(
        &mut self,
        kind: BufferKind,
        (start, length): (u32, u32),
        bytes: &[u8],
    ) -> Outcome {
        if let Some(message) = self.grpc_message(kind) {
            return set_message(message, (start, length), bytes);
        }
        if !is_live(kind) {
            self.fixed_buffer(kind)?;
            return Err(Status::BadArgument);
        }
        if self.hides_buffer(kind) {
            // What it does not see it cannot change. That tells nothing.
            return Ok(Reply::Done);
        }
        let (stream, stage) = self.stream().ok_or(Status::BadArgument)?;
        let stream = &mut *stream.borrow_mut();
        let most = stream.edited_body_max();
        let body = window_of(stream, stage, kind).ok_or(Status::BadArgument)?;
        if length_after(body, (start as usize, length as usize), bytes) > most {
            return Err(Status::InternalFailure);
        }
        body.splice(
            start as usize,
            length as usize,
            Bytes::copy_from_slice(bytes),
        )
        .map_err(|_| Status::BadArgument)?;
        Ok(Reply::Done)
    }

    /// Whether the filter does not see these bytes.
    fn hides_buffer(&self, kind: BufferKind) -> bool {
        match kind {
            BufferKind::RequestBody | BufferKind::DownstreamBytes => self.hides_body(Side::Request),
            BufferKind::ResponseBody | BufferKind::UpstreamBytes => self.hides_body(Side::Response),
            BufferKind::CalloutBody
            | BufferKind::GrpcMessage
            | BufferKind::VmConfiguration
            | BufferKind::PluginConfiguration
            | BufferKind::CallArguments
            | BufferKind::RedisReply => false,
        }
    }

    /// The message that the running callback looks at.
    fn grpc_message(&mut self, kind: BufferKind) -> Option<&mut BodyBuffer> {
        match (kind, &mut self.grpc) {
            (BufferKind::GrpcMessage, Some(GrpcView::Message(message))) => Some(message),
            _ => None,
        }
    }

    /// Buffers that the guest cannot change.
    fn fixed_buffer(&self, kind: BufferKind) -> Result<Bytes, Status> {
        match kind {
            BufferKind::CalloutBody => {
                let view = self.callout.as_ref().ok_or(Status::NotFound)?;
                view.body.clone().ok_or(Status::NotFound)
            }
            BufferKind::VmConfiguration => Ok(self
                .slot
                .upgrade()
                .map(|slot| slot.filter().vm_configuration.clone())
                .unwrap_or_default()),
            BufferKind::PluginConfiguration if self.shows_configuration => Ok(self
                .root()
                .map(|root| root.configuration.clone())
                .unwrap_or_default()),
            BufferKind::PluginConfiguration => Err(Status::NotFound),
            // Envoy's plugins must find that this kind does not exist.
            BufferKind::RedisReply if self.speaks_higress() => Ok(self.redis_reply.clone()),
            BufferKind::RedisReply => Err(Status::BadArgument),
            BufferKind::RequestBody
            | BufferKind::ResponseBody
            | BufferKind::DownstreamBytes
            | BufferKind::UpstreamBytes
            | BufferKind::GrpcMessage
            | BufferKind::CallArguments => Ok(Bytes::new()),
        }
    }
}

/// How long a body becomes by a splice that is one of those that there are.
fn length_after(body: &BodyBuffer, (start, length): (usize, usize), bytes: &[u8]) -> usize {
    let goes = if start == 0 {
        length.min(body.len())
    } else {
        0
    };
    (body.len() - goes).saturating_add(bytes.len())
}

/// A guest may edit the message that it looks at, as in Envoy; nobody else sees that.
fn set_message(message: &mut BodyBuffer, (start, length): (u32, u32), bytes: &[u8]) -> Outcome {
    if message.len() + bytes.len() > limits::GRPC_MESSAGE_BYTES_MAX {
        return Err(Status::InternalFailure);
    }
    message
        .splice(
            start as usize,
            length as usize,
            Bytes::copy_from_slice(bytes),
        )
        .map_err(|_| Status::BadArgument)?;
    Ok(Reply::Done)
}

fn empty() -> Reply {
    Reply::Bytes(Bytes::new())
}

fn is_callout(map: MapKind) -> bool {
    match map {
        MapKind::RequestHeaders
        | MapKind::RequestTrailers
        | MapKind::ResponseHeaders
        | MapKind::ResponseTrailers => false,
        MapKind::GrpcInitialMetadata
        | MapKind::GrpcTrailingMetadata
        | MapKind::CalloutHeaders
        | MapKind::CalloutTrailers => true,
    }
}

fn side_of(map: MapKind) -> Side {
    match map {
        MapKind::RequestHeaders | MapKind::RequestTrailers => Side::Request,
        MapKind::ResponseHeaders
        | MapKind::ResponseTrailers
        | MapKind::GrpcInitialMetadata
        | MapKind::GrpcTrailingMetadata
        | MapKind::CalloutHeaders
        | MapKind::CalloutTrailers => Side::Response,
    }
}

/// Whether the bytes are those of a stream, which come and go.
fn is_live(kind: BufferKind) -> bool {
    match kind {
        BufferKind::RequestBody
        | BufferKind::ResponseBody
        | BufferKind::DownstreamBytes
        | BufferKind::UpstreamBytes => true,
        BufferKind::CalloutBody
        | BufferKind::GrpcMessage
        | BufferKind::VmConfiguration
        | BufferKind::PluginConfiguration
        | BufferKind::CallArguments
        | BufferKind::RedisReply => false,
    }
}

/// The bytes of a stream that this stage may touch now.
fn window_of(stream: &mut Stream, stage: usize, kind: BufferKind) -> Option<&mut BodyBuffer> {
    let access = stream.access.get(stage)?;
    let side = match kind {
        BufferKind::RequestBody => Side::Request,
        BufferKind::ResponseBody => Side::Response,
        BufferKind::DownstreamBytes => {
            let lanes = stream.lanes.as_mut().filter(|_| access.downstream)?;
            return Some(&mut lanes.downstream.bytes);
        }
        BufferKind::UpstreamBytes => {
            let lanes = stream.lanes.as_mut().filter(|_| access.upstream)?;
            return Some(&mut lanes.upstream.bytes);
        }
        _ => return None,
    };
    let index = stage_index(stream, stage, side)?;
    stream.flow(side).window(index)
}

/// Response stages run in the reverse order of the request's.
pub(crate) fn stage_index(stream: &Stream, stage: usize, side: Side) -> Option<usize> {
    match side {
        Side::Request => Some(stage),
        Side::Response => stream.access.len().checked_sub(stage.checked_add(1)?),
    }
}

/// The map, if this stage may use it now.
fn map_of(stream: &mut Stream, stage: usize, map: MapKind, how: Use) -> Option<&mut HeaderList> {
    if stream.is_logging && how == Use::Read {
        return match map {
            MapKind::RequestHeaders => Some(&mut stream.request.headers),
            MapKind::ResponseHeaders => Some(&mut stream.response.headers),
            MapKind::ResponseTrailers => stream.response.trailers.as_mut(),
            _ => None,
        };
    }
    let access = stream.access.get_mut(stage)?;
    match map {
        MapKind::RequestHeaders => access
            .request_headers
            .then_some(&mut stream.request.headers),
        MapKind::ResponseHeaders => access
            .response_headers
            .then_some(&mut stream.response.headers),
        MapKind::RequestTrailers => {
            let makes = access.ending == Some(Side::Request);
            access.made_trailers |= makes;
            (access.request_trailers || makes)
                .then(|| stream.request.trailers.get_or_insert_default())
        }
        MapKind::ResponseTrailers => {
            let makes = access.ending == Some(Side::Response);
            access.made_trailers |= makes;
            (access.response_trailers || makes)
                .then(|| stream.response.trailers.get_or_insert_default())
        }
        MapKind::GrpcInitialMetadata
        | MapKind::GrpcTrailingMetadata
        | MapKind::CalloutHeaders
        | MapKind::CalloutTrailers => None,
    }
}
