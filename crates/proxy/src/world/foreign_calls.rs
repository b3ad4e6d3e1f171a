//! Functions that guests call by name (Proxy-Wasm reference 6.8, 10.5).

use bytes::Bytes;
use weir_guest::{Reply, Status};

use super::{LiveWorld, Outcome, log_threshold};
use crate::foreign::{self, DeclareProperty, ForeignStatus, SetFilterState};

type Result = std::result::Result<Bytes, ForeignStatus>;

impl LiveWorld {
    pub(super) fn foreign(&mut self, name: &[u8], arguments: &[u8]) -> Outcome {
        let outcome = match name {
            b"compress" => foreign::compress(arguments),
            b"uncompress" => foreign::uncompress(arguments),
            b"verify_signature" => foreign::verify_signature(arguments),
            b"sign" => foreign::sign(arguments),
            b"clear_route_cache" => {
                self.clear_route();
                Ok(Bytes::new())
            }
            b"declare_property" => self.declare_property(arguments),
            b"set_envoy_filter_state" => self.set_filter_state(arguments),
            b"expr_create" | b"expr_evaluate" | b"expr_delete" => self.expression(name, arguments),
            b"get_log_level" => {
                let level = u32::try_from(log_threshold()).unwrap_or_default();
                Ok(Bytes::copy_from_slice(&level.to_le_bytes()))
            }
            _ => return Err(Status::NotFound),
        };
        Ok(match outcome {
            Ok(bytes) => Reply::Bytes(bytes),
            Err(status) => Reply::Outcome(status.status(), Bytes::new()),
        })
    }

    fn clear_route(&self) {
        if let Some((stream, _)) = self.stream() {
            stream.borrow_mut().route_is_stale = true;
        }
    }

    fn declare_property(&mut self, arguments: &[u8]) -> Result {
        let declared = DeclareProperty::decode(arguments)?;
        if self.here.stream.is_some() {
            // Envoy keeps it with the stream's context, where nothing reads it.
            return Ok(Bytes::new());
        }
        let root = self.root_mut().ok_or(ForeignStatus::BadArgument)?;
        if root
            .declared
            .iter()
            .any(|known| known.name == declared.name)
        {
            return Err(ForeignStatus::BadArgument);
        }
        root.declared.push(declared);
        Ok(Bytes::new())
    }

    /// No object factory is known here, so every name is unknown, as in an Envoy without them.
    #[expect(
        clippy::unused_self,
        reason = "it becomes the stream's once there are factories"
    )]
    fn set_filter_state(&self, arguments: &[u8]) -> Result {
        let wanted = SetFilterState::decode(arguments)?;
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
        let mut expressions = std::mem::take(&mut root.expressions);
        let result = match name {
            b"expr_create" => expressions.create(arguments),
            b"expr_delete" => expressions.delete(arguments),
            _ => expressions.evaluate(arguments, &|path| self.attribute(path)),
        };
        if let Some(root) = self.root_mut() {
            root.expressions = expressions;
        }
        result
    }
}
