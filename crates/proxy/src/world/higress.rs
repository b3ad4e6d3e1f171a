//! What Higress's plugins may do beside Envoy's (Proxy-Wasm reference 10.3 to 10.6).

use std::net::SocketAddr;

use bytes::Bytes;
use weir_guest::{Reply, Status, pairs};
use weir_model::limits;

use super::{LiveWorld, Outcome, stage_index};
use crate::foreign::{ForeignStatus, InjectData};
use crate::message::Side;
use crate::stream::{Order, Stream};

/// Prefix of properties that are tags of the exchange.
const TAG: &[u8] = b"trace_span_tag.";

impl LiveWorld {
    /// Whether the plugin runs under Higress's rules.
    pub(super) fn speaks_higress(&self) -> bool {
        self.slot
            .upgrade()
            .is_some_and(|slot| slot.program().dialect == weir_model::Dialect::Higress)
    }

    /// Puts bytes into the response behind this filter, once the guest has returned.
    pub(super) fn inject(&mut self, bytes: &[u8], end: bool) -> Outcome {
        let (target, stage) = self.stream().ok_or(Status::BadArgument)?;
        let kept = self.kept_orders(&target);
        let kept: usize = kept.map(|order| order.injected_bytes()).sum();
        let ahead = {
            let stream = &*target.borrow();
            let has_place = stage_index(stream, stage, Side::Response).is_some();
            if !has_place || stream.is_logging || stream.response.headers.len() == 0 {
                return Err(Status::BadArgument);
            }
            let ordered: usize = stream.orders.iter().map(Order::injected_bytes).sum();
            stream.response_flow.unsent_bytes() + ordered + kept
        };
        if ahead + bytes.len() > limits::INJECTED_BYTES_MAX {
            return Err(Status::InternalFailure);
        }
        let bytes = Bytes::copy_from_slice(bytes);
        self.order(&target, Order::Inject { stage, bytes, end });
        Ok(Reply::Done)
    }

    /// Address and state of every endpoint of the route's cluster.
    pub(super) fn upstream_hosts(&self) -> Outcome {
        let (stream, _) = self.stream().ok_or(Status::NotFound)?;
        let stream = stream.borrow();
        let name = stream.facts.cluster.as_deref().ok_or(Status::NotFound)?;
        let cluster = self
            .shared
            .upstreams
            .cluster(name)
            .ok_or(Status::NotFound)?;
        let hosts = cluster.hosts();
        let entries: Vec<(String, &str)> = hosts
            .iter()
            .map(|host| (host.address.to_string(), state_of(host.is_ejected())))
            .collect();
        if entries.is_empty() {
            return Ok(Reply::Bytes(Bytes::new()));
        }
        let entries = entries
            .iter()
            .map(|(address, state)| (address.as_bytes(), state.as_bytes()));
        Ok(Reply::Bytes(pairs::encode(entries)))
    }

    /// Sends the request to one endpoint, if its cluster has it by then. Never an error.
    pub(super) fn override_host(&self, address: &[u8]) -> Reply {
        let address = &address[..address.len().min(limits::TOUCHED_NAME_BYTES_MAX)];
        let wanted = std::str::from_utf8(address)
            .ok()
            .and_then(|text| text.parse::<SocketAddr>().ok());
        if let (Some((stream, _)), Some(wanted)) = (self.stream(), wanted) {
            stream.borrow_mut().facts.override_host = Some(wanted);
        } else {
            let address = String::from_utf8_lossy(address);
            tracing::debug!(%address, "a plugin wants an upstream host that is no address");
        }
        Reply::Done
    }

    /// The functions that only Higress's plugins find by name; `None`: not one of them.
    pub(super) fn foreign_of_higress(
        &mut self,
        name: &[u8],
        arguments: &[u8],
    ) -> Option<Result<Bytes, ForeignStatus>> {
        let done = |outcome: Outcome| match outcome {
            Ok(_) => Ok(Bytes::new()),
            Err(Status::InternalFailure) => Err(ForeignStatus::InternalFailure),
            Err(_) => Err(ForeignStatus::BadArgument),
        };
        Some(match name {
            b"get_log_level" => {
                let level = self.log_level() as u32;
                Ok(Bytes::copy_from_slice(&level.to_le_bytes()))
            }
            // Fairness among connections is the runtime's: there is nothing to set.
            b"set_global_max_requests_per_io_cycle" if arguments.len() == 8 => Ok(Bytes::new()),
            b"set_global_max_requests_per_io_cycle" => Err(ForeignStatus::BadArgument),
            b"inject_encoded_data_to_filter_chain" => InjectData::decode(arguments)
                .and_then(|inject| done(self.inject(&inject.body, inject.end))),
            b"inject_encoded_data_to_filter_chain_on_header" => InjectData::decode(arguments)
                .and_then(|inject| {
                    if inject.end {
                        done(self.inject(&inject.body, true))
                    } else {
                        Err(ForeignStatus::BadArgument)
                    }
                }),
            _ => return None,
        })
    }

    /// Properties that do something. `None`: a value like any other, or one beside what it does.
    pub(super) fn set_magic(
        &self,
        stream: &mut Stream,
        stage: usize,
        (path, value): (&[u8], &[u8]),
    ) -> Option<Outcome> {
        match path {
            b"clear_route_cache" => {
                if let Some(access) = stream.access.get_mut(stage) {
                    access.keeps_route = value == b"off";
                }
            }
            b"set_decoder_buffer_limit" => set_buffer_limit(stream, Side::Request, value),
            b"set_encoder_buffer_limit" => set_buffer_limit(stream, Side::Response, value),
            b"wasm_need_rebuild" if value == b"true" => {
                if let Some(slot) = self.slot.upgrade() {
                    slot.rebuild_soon();
                }
            }
            _ => {
                let name = path.strip_prefix(TAG)?;
                return Some(set_tag(stream, name, value));
            }
        }
        None
    }
}

/// Endpoints have no metrics of their own here.
fn state_of(is_ejected: bool) -> &'static str {
    if is_ejected {
        r#"{"health_status":"Unhealthy","metrics":""}"#
    } else {
        r#"{"health_status":"Healthy","metrics":""}"#
    }
}

/// The body limit of this stream, as decimal text; anything else is ignored.
fn set_buffer_limit(stream: &mut Stream, side: Side, value: &[u8]) {
    let bytes = std::str::from_utf8(value)
        .ok()
        .and_then(|text| text.parse::<u32>().ok());
    if let Some(bytes) = bytes {
        let limit = (bytes as usize).min(limits::BODY_BUFFER_BYTES_MAX);
        stream.flow(side).set_limit(limit);
    }
}

fn set_tag(stream: &mut Stream, name: &[u8], value: &[u8]) -> Outcome {
    stream.tags.retain(|(known, _)| known != name);
    let held: usize = stream
        .tags
        .iter()
        .map(|(name, value)| name.len() + value.len())
        .sum();
    if held + name.len() + value.len() > limits::STREAM_PROPERTIES_BYTES_MAX {
        return Err(Status::InternalFailure);
    }
    let tag = (Bytes::copy_from_slice(name), Bytes::copy_from_slice(value));
    stream.tags.push(tag);
    Ok(Reply::Done)
}
