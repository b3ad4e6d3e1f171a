//! Asks the host what a component asks.

use wasmtime::component::Resource;
use weir_maps::{MapCall, MapReply, Rights, Value};

use super::refused::{Refused, granted};
use super::{Map, MapCtx};
use crate::host::MapAnswer;

impl MapCtx<'_> {
    /// The reply to a call, unless it is refused.
    pub(super) async fn ask(&mut self, call: MapCall<'_>) -> Result<MapReply, Refused> {
        let reply = match self.door.map_call(call)? {
            MapAnswer::Ready(reply) => reply,
            MapAnswer::Pending(wait) => {
                self.door.map_waits();
                let reply = wait.await;
                self.door.map_arrived(reply)?
            }
        };
        granted(reply)
    }

    pub(super) async fn ask_number(&mut self, call: MapCall<'_>) -> Result<u64, Refused> {
        match self.ask(call).await? {
            MapReply::Number(number) => Ok(number),
            _ => Err(Refused::MISANSWERED),
        }
    }

    /// A handle or a watch.
    pub(super) async fn ask_handle(&mut self, call: MapCall<'_>) -> Result<u32, Refused> {
        let handle = self.ask_number(call).await?;
        u32::try_from(handle).map_err(|_| Refused::MISANSWERED)
    }

    pub(super) async fn ask_map(&mut self, call: MapCall<'_>) -> Result<Resource<Map>, Refused> {
        self.ask_handle(call).await.map(Resource::new_own)
    }

    /// A ticket as two numbers.
    pub(super) async fn ask_ticket(&mut self, call: MapCall<'_>) -> Result<(u64, u64), Refused> {
        let MapReply::Ticket(ticket) = self.ask(call).await? else {
            return Err(Refused::MISANSWERED);
        };
        let number = u128::from_le_bytes(ticket);
        let low = number & u128::from(u64::MAX);
        // Each is half of it.
        Ok((half(low), half(number >> 64)))
    }

    /// Value and version of an entry.
    pub(super) async fn ask_entry(
        &mut self,
        handle: u32,
        key: &[u8],
    ) -> Result<Option<(Value, u64)>, Refused> {
        match self.ask(MapCall::Get { handle, key }).await {
            Ok(MapReply::Entry(value, version)) => Ok(Some((value, version))),
            Ok(_) => Err(Refused::MISANSWERED),
            Err(refused) => absent(refused).map(|()| None),
        }
    }

    /// A second handle with some of the rights, for something that goes on by itself.
    pub(super) async fn own_handle(&mut self, handle: u32, rights: Rights) -> Result<u32, Refused> {
        self.ask_handle(MapCall::Dup { handle, rights }).await
    }

    /// Gives a handle back. One that the table does not know any more is gone already.
    pub(super) async fn give_back(&mut self, handle: u32) -> wasmtime::Result<()> {
        match self.ask(MapCall::Close { handle }).await {
            Err(Refused::End(error)) => Err(error),
            Ok(_) | Err(Refused::Number(..) | Refused::Said(_)) => Ok(()),
        }
    }
}

/// Nothing, if that an entry is not there was all that was refused.
pub(super) fn absent(refused: Refused) -> Result<(), Refused> {
    if refused.number() == Some(super::refused::NOENT) {
        return Ok(());
    }
    Err(refused)
}

fn half(number: u128) -> u64 {
    u64::try_from(number).unwrap_or_default()
}
