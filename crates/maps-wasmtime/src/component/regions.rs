//! Regions by copy: a component has no mapping.

use std::sync::Arc;

use wasmtime::component::Resource;
use weir_maps::region::{GRAIN, Lease};
use weir_maps::{MapCall, MapError, MapReply};
use weir_model::limits::maps as limits;

use super::made::map::wasi_map::map::regions::Host;
use super::refused::Refused;
use super::{Map, MapCtx};

/// As `region_map` counts it: to read, or to read and write.
const READ: u32 = 1;
const READ_AND_WRITE: u32 = 3;

impl Host for MapCtx<'_> {
    async fn create(
        &mut self,
        map: Resource<Map>,
        key: Vec<u8>,
        length: u64,
    ) -> Result<(), Refused> {
        let (handle, key, bytes) = (map.rep(), &*key, length);
        let call = MapCall::RegionCreate { handle, key, bytes };
        self.ask(call).await.map(|_| ())
    }

    async fn length(&mut self, map: Resource<Map>, key: Vec<u8>) -> Result<u64, Refused> {
        let lease = self.lease((map.rep(), &key), (0, 1), READ).await?;
        Ok(lease.bytes() as u64)
    }

    async fn read(
        &mut self,
        map: Resource<Map>,
        key: Vec<u8>,
        offset: u64,
        length: u32,
    ) -> Result<Vec<u8>, Refused> {
        if length > limits::COMPONENT_REGION_BYTES_MAX {
            return Err(Refused::NO_SPACE);
        }
        let lease = self
            .lease((map.rep(), &key), (offset, length), READ)
            .await?;
        let mut bytes = vec![0; length as usize];
        lease.read(offset, &mut bytes).map_err(refused)?;
        Ok(bytes)
    }

    async fn write(
        &mut self,
        map: Resource<Map>,
        key: Vec<u8>,
        offset: u64,
        bytes: Vec<u8>,
    ) -> Result<(), Refused> {
        let length = u32::try_from(bytes.len()).map_err(|_| Refused::NO_SPACE)?;
        if length > limits::COMPONENT_REGION_BYTES_MAX {
            return Err(Refused::NO_SPACE);
        }
        let range = (offset, length);
        let lease = self.lease((map.rep(), &key), range, READ_AND_WRITE).await?;
        lease.write(offset, &bytes).map_err(refused)
    }

    async fn hand_on(
        &mut self,
        map: Resource<Map>,
        key: Vec<u8>,
        to: Resource<Map>,
        to_key: Vec<u8>,
    ) -> Result<(), Refused> {
        let call = MapCall::RegionHand {
            handle: map.rep(),
            key: &key,
            to: to.rep(),
            to_key: &to_key,
        };
        self.ask(call).await.map(|_| ())
    }
}

impl MapCtx<'_> {
    /// Takes a region, of which these bytes are in it.
    async fn lease(
        &mut self,
        (handle, key): (u32, &[u8]),
        (offset, length): (u64, u32),
        prot: u32,
    ) -> Result<Arc<Lease>, Refused> {
        // What is mapped begins at a multiple of the grain and has at least a byte.
        let before = offset % u64::from(GRAIN);
        let bytes = u32::try_from(before + u64::from(length)).map_err(|_| Refused::NO_SPACE)?;
        let call = MapCall::RegionMap {
            handle,
            key,
            offset: offset - before,
            bytes: bytes.max(1),
            prot,
        };
        match self.ask(call).await? {
            MapReply::Region(lease) => Ok(lease),
            _ => Err(Refused::MISANSWERED),
        }
    }
}

fn refused(error: MapError) -> Refused {
    match MapReply::from(error) {
        MapReply::Refused(errno, number) => Refused::Number(errno, number),
        _ => Refused::MISANSWERED,
    }
}
