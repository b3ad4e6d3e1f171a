//! The resource `map`: each function becomes one call.

use std::time::Duration;

use wasmtime::component::Resource;
use weir_maps::call::packed;
use weir_maps::store::{Condition, Terms};
use weir_maps::{Eviction, MapCall, MapOptions, MapReply};

use super::begun::Scanner;
use super::made::map::wasi_map::map::maps::{Host, HostMap, Kept};
use super::made::map::wasi_map::map::types::{
    Condition as Asked, Entry, Eviction as AskedEviction, Operation, Options, Outcome, Rights,
    Stat, Terms as AskedTerms,
};
use super::refused::Refused;
use super::watching::Watcher;
use super::{Map, MapCtx};

impl Host for MapCtx<'_> {}

impl HostMap for MapCtx<'_> {
    async fn open(&mut self, name: String, rights: Rights) -> Result<Resource<Map>, Refused> {
        let (name, rights) = (name.as_bytes(), rights_of(rights)?);
        self.ask_map(MapCall::Open { name, rights }).await
    }

    async fn new(&mut self, options: Options) -> Result<Resource<Map>, Refused> {
        let options = options_of(options)?;
        self.ask_map(MapCall::Create { options }).await
    }

    async fn accept(&mut self, (low, high): (u64, u64)) -> Result<Resource<Map>, Refused> {
        let ticket = (u128::from(high) << 64 | u128::from(low)).to_le_bytes();
        self.ask_map(MapCall::Accept { ticket }).await
    }

    async fn dup(&mut self, map: Resource<Map>, rights: Rights) -> Result<Resource<Map>, Refused> {
        let (handle, rights) = (map.rep(), rights_of(rights)?);
        self.ask_map(MapCall::Dup { handle, rights }).await
    }

    async fn lend(
        &mut self,
        map: Resource<Map>,
        rights: Rights,
        to: String,
    ) -> Result<(u64, u64), Refused> {
        let (handle, rights, to) = (map.rep(), rights_of(rights)?, to.as_bytes());
        self.ask_ticket(MapCall::Lend { handle, rights, to }).await
    }

    async fn transfer(
        &mut self,
        map: Resource<Map>,
        to: String,
    ) -> wasmtime::Result<Result<(u64, u64), Kept>> {
        let (handle, to) = (map.rep(), to.as_bytes());
        match self.ask_ticket(MapCall::Transfer { handle, to }).await {
            Ok(ticket) => Ok(Ok(ticket)),
            Err(refused) => {
                let error = refused.told()?;
                let map = Resource::new_own(handle);
                Ok(Err(Kept { map, error }))
            }
        }
    }

    async fn rights(&mut self, map: Resource<Map>) -> Result<Rights, Refused> {
        let handle = map.rep();
        let bits = self.ask_number(MapCall::Rights { handle }).await?;
        let mut rights = Rights::empty();
        for (place, flag) in FLAGS.into_iter().enumerate() {
            rights |= if bits >> place & 1 == 1 {
                flag
            } else {
                Rights::empty()
            };
        }
        Ok(rights)
    }

    async fn id(&mut self, map: Resource<Map>) -> Result<u64, Refused> {
        let [.., id] = self.numbers(map.rep()).await?;
        Ok(id)
    }

    async fn stat(&mut self, map: Resource<Map>) -> Result<Stat, Refused> {
        let [entries, bytes, version, quota_bytes, references, flags, _] =
            self.numbers(map.rep()).await?;
        Ok(Stat {
            entries,
            bytes,
            version,
            quota_bytes,
            references,
            is_named: flags & packed::STAT_NAMED != 0,
            evicts: flags & packed::STAT_EVICTS != 0,
            ends: flags & packed::STAT_ENDS != 0,
        })
    }

    async fn get(&mut self, map: Resource<Map>, key: Vec<u8>) -> Result<Option<Entry>, Refused> {
        let found = self.ask_entry(map.rep(), &key).await?;
        Ok(found.map(|(value, version)| Entry {
            value: value.bytes().unwrap_or_default().to_vec(),
            version,
        }))
    }

    async fn set(
        &mut self,
        map: Resource<Map>,
        key: Vec<u8>,
        value: Vec<u8>,
    ) -> Result<(), Refused> {
        let terms = Terms::default();
        self.store(map.rep(), (&key, &value), terms)
            .await
            .map(|_| ())
    }

    async fn set_with(
        &mut self,
        map: Resource<Map>,
        key: Vec<u8>,
        value: Vec<u8>,
        terms: AskedTerms,
    ) -> Result<u64, Refused> {
        self.store(map.rep(), (&key, &value), terms_of(terms)?)
            .await
    }

    async fn delete(&mut self, map: Resource<Map>, key: Vec<u8>) -> Result<(), Refused> {
        let (handle, key) = (map.rep(), &*key);
        self.ask(MapCall::Delete { handle, key }).await.map(|_| ())
    }

    async fn exists(&mut self, map: Resource<Map>, key: Vec<u8>) -> Result<bool, Refused> {
        let (handle, key) = (map.rep(), &*key);
        let number = self.ask_number(MapCall::Exists { handle, key }).await?;
        Ok(number != 0)
    }

    async fn compare_and_swap(
        &mut self,
        map: Resource<Map>,
        key: Vec<u8>,
        expected: u64,
        value: Vec<u8>,
    ) -> Result<u64, Refused> {
        let terms = Terms::on(Condition::expected(expected));
        self.store(map.rep(), (&key, &value), terms).await
    }

    async fn increment(
        &mut self,
        map: Resource<Map>,
        key: Vec<u8>,
        delta: i64,
    ) -> Result<i64, Refused> {
        self.count(map.rep(), &key, delta).await
    }

    async fn scan(
        &mut self,
        map: Resource<Map>,
        prefix: Vec<u8>,
    ) -> Result<Resource<Scanner>, Refused> {
        self.begin_scan(map.rep(), prefix).await
    }

    async fn batch(
        &mut self,
        map: Resource<Map>,
        operations: Vec<Operation>,
    ) -> Result<Vec<Outcome>, Refused> {
        self.do_batch(map.rep(), &operations).await
    }

    async fn clear(&mut self, map: Resource<Map>) -> Result<(), Refused> {
        let handle = map.rep();
        self.ask(MapCall::Clear { handle }).await.map(|_| ())
    }

    async fn watch(
        &mut self,
        map: Resource<Map>,
        prefix: Vec<u8>,
    ) -> Result<Resource<Watcher>, Refused> {
        self.begin_watch(map.rep(), &prefix).await
    }

    async fn put_map(
        &mut self,
        map: Resource<Map>,
        key: Vec<u8>,
        child: Resource<Map>,
    ) -> Result<(), Refused> {
        let (handle, key, child) = (map.rep(), &*key, child.rep());
        let call = MapCall::PutMap { handle, key, child };
        self.ask(call).await.map(|_| ())
    }

    async fn get_map(
        &mut self,
        map: Resource<Map>,
        key: Vec<u8>,
    ) -> Result<Resource<Map>, Refused> {
        let (handle, key) = (map.rep(), &*key);
        self.ask_map(MapCall::GetMap { handle, key }).await
    }

    async fn drop(&mut self, map: Resource<Map>) -> wasmtime::Result<()> {
        self.give_back(map.rep()).await
    }
}

impl MapCtx<'_> {
    pub(super) async fn store(
        &mut self,
        handle: u32,
        (key, value): (&[u8], &[u8]),
        terms: Terms,
    ) -> Result<u64, Refused> {
        let call = MapCall::Set {
            handle,
            key,
            value,
            terms,
        };
        self.ask_number(call).await
    }

    pub(super) async fn count(
        &mut self,
        handle: u32,
        key: &[u8],
        delta: i64,
    ) -> Result<i64, Refused> {
        match self.ask(MapCall::Add { handle, key, delta }).await? {
            MapReply::Counted(sum, _) => Ok(sum),
            _ => Err(Refused::MISANSWERED),
        }
    }

    async fn numbers(&mut self, handle: u32) -> Result<[u64; 7], Refused> {
        let MapReply::Bytes(stat) = self.ask(MapCall::Stat { handle }).await? else {
            return Err(Refused::MISANSWERED);
        };
        packed::numbers(&stat).map_err(|_| Refused::MISANSWERED)
    }
}

/// In the order of their numbers.
const FLAGS: [Rights; 10] = [
    Rights::READ,
    Rights::WRITE,
    Rights::DELETE,
    Rights::LIST,
    Rights::WATCH,
    Rights::CREATE,
    Rights::SHARE,
    Rights::MAP_READ,
    Rights::MAP_WRITE,
    Rights::CLEAR,
];

fn rights_of(rights: Rights) -> Result<weir_maps::Rights, Refused> {
    let places = FLAGS.into_iter().enumerate();
    let bits = places.filter(|(_, flag)| rights.contains(*flag));
    let bits = bits.fold(0, |bits, (place, _)| bits | 1 << place);
    weir_maps::Rights::from_bits(bits).map_err(|_| Refused::INVALID)
}

fn options_of(options: Options) -> Result<MapOptions, Refused> {
    let default = MapOptions::anonymous();
    let value_bytes = options.value_bytes.map(usize::try_from);
    let value_bytes = value_bytes.map(|bytes| bytes.unwrap_or(usize::MAX));
    let options = MapOptions {
        entries_max: options.entries.unwrap_or(default.entries_max),
        bytes_max: options.bytes.unwrap_or(default.bytes_max),
        value_bytes_max: value_bytes.unwrap_or(default.value_bytes_max),
        ttl: options.ttl_ms.map(Duration::from_millis),
        eviction: match options.eviction {
            AskedEviction::Refuse => Eviction::Refuse,
            AskedEviction::Lru => Eviction::Lru,
        },
        shards: default.shards,
    };
    options.check().map_err(|_| Refused::INVALID)?;
    Ok(options)
}

pub(super) fn condition_of(condition: Asked) -> Result<Condition, Refused> {
    Ok(match condition {
        Asked::Always => Condition::Always,
        Asked::Absent => Condition::Absent,
        Asked::Version(0) => return Err(Refused::INVALID),
        Asked::Version(version) => Condition::Version(version),
    })
}

pub(super) fn terms_of(terms: AskedTerms) -> Result<Terms, Refused> {
    if terms.ttl_ms == Some(0) {
        return Err(Refused::INVALID);
    }
    Ok(Terms {
        condition: condition_of(terms.condition)?,
        ttl: terms.ttl_ms.map(Duration::from_millis),
        bytes_max: None,
    })
}
