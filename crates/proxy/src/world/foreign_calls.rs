//! Functions that guests call by name (Proxy-Wasm reference 6.8, 10.5).

use std::sync::Arc;

use bytes::Bytes;
use weir_guest::{Reply, Status};
use weir_model::limits;

use super::{LiveWorld, Outcome};
use crate::foreign::{self, DeclareProperty, ForeignStatus, SetFilterState};

/// Envoy's name of the object that holds the cluster of a TCP connection.
const TCP_CLUSTER: &str = "envoy.tcp_proxy.cluster";

type Result = std::result::Result<Bytes, ForeignStatus>;

impl LiveWorld {
    pub(super) fn foreign(&mut self, name: &[u8], arguments: &[u8]) -> Outcome {
        self.may_call_foreign(name)?;
        // What was compressed may be longer than what it becomes, which has a limit of its own.
        if arguments.len() > limits::FOREIGN_BYTES_MAX && name != b"uncompress" {
            let status = ForeignStatus::SerializationFailure.status();
            return Ok(Reply::Outcome(status, Bytes::new()));
        }
        let outcome = match name {
            b"compress" => foreign::compress(arguments, &self.call_time()),
            b"uncompress" => foreign::uncompress(arguments, &self.call_time()),
            b"verify_signature" => foreign::verify_signature(arguments),
            b"sign" => foreign::sign(arguments),
            b"clear_route_cache" => {
                self.clear_route();
                Ok(Bytes::new())
            }
            b"declare_property" => self.declare_property(arguments),
            b"set_envoy_filter_state" => self.set_filter_state(arguments),
            b"expr_create" | b"expr_evaluate" | b"expr_delete" => self.expression(name, arguments),
            _ if self.speaks_higress() => self
                .foreign_of_higress(name, arguments)
                .ok_or(Status::NotFound)?,
            _ => return Err(Status::NotFound),
        };
        Ok(match outcome {
            Ok(bytes) => Reply::Bytes(bytes),
            Err(status) => Reply::Outcome(status.status(), Bytes::new()),
        })
    }

    /// Says when a call has taken as long as a whole callback may: a foreign function is not
    /// interrupted, so long ones look for themselves.
    fn call_time(&self) -> impl Fn() -> bool + use<> {
        let limit = self.root().map(|root| root.filter.limits.call);
        let limit = limit.unwrap_or(limits::GUEST_CALL_TIME);
        let begun = std::time::Instant::now();
        move || begun.elapsed() > limit
    }

    fn clear_route(&self) {
        if let Some((stream, _)) = self.stream() {
            stream.borrow_mut().route_is_stale = true;
        }
    }

    fn declare_property(&mut self, arguments: &[u8]) -> Result {
        let declared = DeclareProperty::decode(arguments)?;
        if let Some((stream, stage)) = self.stream() {
            // Envoy keeps it with the stream's context, where nothing reads it.
            let declared_here = &mut stream.borrow_mut().declared;
            let bytes: usize = declared_here.iter().map(|(_, name)| name.len()).sum();
            let is_known = declared_here
                .iter()
                .any(|(by, name)| *by == stage && *name == declared.name);
            if is_known || bytes + declared.name.len() > limits::STREAM_PROPERTIES_BYTES_MAX {
                return Err(ForeignStatus::BadArgument);
            }
            declared_here.push((stage, declared.name));
            return Ok(Bytes::new());
        }
        let root = self.root_mut().ok_or(ForeignStatus::BadArgument)?;
        let is_known = root
            .declared
            .iter()
            .any(|known| known.name == declared.name);
        let bytes_of = |one: &DeclareProperty| one.name.len() + one.schema.len();
        let bytes: usize = root.declared.iter().map(bytes_of).sum();
        if is_known || bytes + bytes_of(&declared) > limits::STREAM_PROPERTIES_BYTES_MAX {
            return Err(ForeignStatus::BadArgument);
        }
        Arc::make_mut(&mut root.declared).push(declared);
        Ok(Bytes::new())
    }

    /// The one object that is known chooses the cluster of a TCP connection that has none yet; every
    /// other name is unknown, as in an Envoy without its factory.
    fn set_filter_state(&self, arguments: &[u8]) -> Result {
        let wanted = SetFilterState::decode(arguments)?;
        if wanted.path == TCP_CLUSTER {
            let (stream, _) = self.stream().ok_or(ForeignStatus::NotFound)?;
            // Whether it exists is seen where the connection is made; a plugin learns nothing.
            let is_known = self.shared.upstreams.cluster(&wanted.value).is_some();
            if is_known && self.cluster(&wanted.value).is_none() {
                return Err(ForeignStatus::NotFound);
            }
            // On an HTTP stream it has no meaning, as in Envoy.
            if let Some(lanes) = stream.borrow_mut().lanes.as_deref_mut() {
                lanes.cluster = Some(wanted.value.into());
            }
            return Ok(Bytes::new());
        }
        tracing::debug!(path = wanted.path, "no filter state object has this name");
        Err(ForeignStatus::NotFound)
    }

    fn expression(&mut self, name: &[u8], arguments: &[u8]) -> Result {
        // Expressions see the callback's own context, whatever the effective one is.
        let effective = std::mem::replace(&mut self.here, self.own.clone());
        let result = self.own_expression(name, arguments);
        self.here = effective;
        result
    }

    fn own_expression(&mut self, name: &[u8], arguments: &[u8]) -> Result {
        let root = self.root_mut().ok_or(ForeignStatus::InternalFailure)?;
        match name {
            b"expr_create" => Arc::make_mut(&mut root.expressions).create(arguments),
            b"expr_delete" => Arc::make_mut(&mut root.expressions).delete(arguments),
            _ => {
                let expressions = Arc::clone(&root.expressions);
                expressions.evaluate(arguments, &|path| self.attribute(path))
            }
        }
    }
}
