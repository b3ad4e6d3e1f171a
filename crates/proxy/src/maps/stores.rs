//! The back ends of the configuration: opened once, all or none, and closed at the end.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Once};
use std::time::Instant;

use weir_maps::budget::Account;
use weir_maps::{BackEnd, MapError, MapOptions, NearCache, NearOptions, PinnedStore, SystemClock};
use weir_model::limits::disk as limits;
use weir_model::{
    FileStore, Login, MapStore, Name, PinnedFile, RedisServers, RedisServersKind, Secret,
    SharedMap, Site, Store, Variable,
};
use weir_pinned::Shape;
use weir_stores::disk::{DiskStore, Durability, OpenError};
use weir_stores::durable::{DurableConfig, DurableMaps};
use weir_stores::redis::{
    RedisConfigError, RedisKind, RedisMap, RedisStoreConfig, RedisStores, RedisTls,
};
use weir_stores::ssd::{SsdConfig, SsdMaps};

use super::declared::{DeclarationError, Declarations};
use super::{SCOPE, StoreReport};

/// Why a store of the configuration cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The file of a map.
    #[error("map {map}: store {store} (stores.{store}): {error}")]
    File {
        /// Name of the map.
        map: Name,
        /// Name of its store.
        store: Name,
        /// Which file, what is wrong, and what can be done.
        #[source]
        error: OpenError,
    },
    /// The file of a pinned map.
    #[error("map {map}: maps.{map}.pin: {error}")]
    Pinned {
        /// Name of the map.
        map: Name,
        /// Which file, and what is wrong.
        #[source]
        error: MapError,
    },
    /// A map that the store refuses.
    #[error("map {map}: store {store} (stores.{store}): {error}")]
    Map {
        /// Name of the map.
        map: Name,
        /// Name of its store.
        store: Name,
        /// What is refused.
        #[source]
        error: MapError,
    },
    /// Servers that make no sense.
    #[error("store {store}: stores.{store}.redis.{error}")]
    Redis {
        /// Name of the store.
        store: Name,
        /// Which key, and why.
        #[source]
        error: RedisConfigError,
    },
    /// A password is in a variable that the gateway does not have.
    #[error(
        "store {store}: stores.{store}.redis.{key} is from the variable {variable}, which is not \
         set, empty or no text: set it in the gateway's environment"
    )]
    Variable {
        /// Name of the store.
        store: Name,
        /// The key.
        key: &'static str,
        /// Name of the variable.
        variable: String,
    },
    /// A map of a store that is not there.
    #[error("map {map}: there is no store {store}")]
    Unknown {
        /// Name of the map.
        map: Name,
        /// Name of the store.
        store: Name,
    },
}

/// Whether stores are to be opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Opening {
    /// They are.
    Open,
    /// Only what can be checked without them is: their maps are empty and in memory.
    Trial,
}

/// All stores of a site.
#[derive(Debug)]
pub(crate) struct Stores {
    opened: BTreeMap<Name, Opened>,
    /// Maps in files, to be closed.
    disks: Vec<(Name, Arc<DiskStore>)>,
    /// Maps in files that native processes share, to be looked after.
    pinned: Vec<(Name, Arc<PinnedStore>)>,
    opening: Opening,
    closed: Once,
}

/// A store.
#[derive(Debug)]
enum Opened {
    Durable(DurableMaps),
    SsdBacked(SsdMaps),
    Redis(RedisStores),
    Trial,
}

impl Stores {
    /// Opens what the configuration names.
    ///
    /// # Errors
    /// Which store, and why; nothing is open then.
    pub(crate) fn open(site: &Site, opening: Opening) -> Result<Self, StoreError> {
        let stores = site.stores.iter();
        let stores = stores.map(|(name, store)| Ok((name.clone(), opened(name, store, opening)?)));
        Ok(Self {
            opened: stores.collect::<Result<_, StoreError>>()?,
            disks: Vec::new(),
            pinned: Vec::new(),
            opening,
            closed: Once::new(),
        })
    }

    /// What keeps a map; `None`: memory.
    ///
    /// # Errors
    /// Which map of which store, and why.
    pub(crate) fn back_end(
        &mut self,
        (map, shared): (&Name, &SharedMap),
        (options, operator): (&MapOptions, &Arc<Account>),
    ) -> Result<Option<Arc<dyn BackEnd>>, StoreError> {
        let store = match &shared.store {
            MapStore::Memory => return Ok(None),
            MapStore::Pinned(file) => return self.pin(map, (file, shared, options)),
            MapStore::Named(store) => store,
        };
        let (map, store) = (map.clone(), store.clone());
        let Some(opened) = self.opened.get(&store) else {
            return Err(StoreError::Unknown { map, store });
        };
        let disk = match opened.kept((&map, shared), (*options, operator)) {
            Kept::Memory => return Ok(None),
            Kept::Redis(Ok(kept)) => return Ok(Some(kept)),
            Kept::Redis(Err(error)) => return Err(StoreError::Map { map, store, error }),
            Kept::Disk(Ok(disk)) => Arc::new(disk),
            Kept::Disk(Err(error)) => return Err(StoreError::File { map, store, error }),
        };
        self.disks.push((map, Arc::clone(&disk)));
        Ok(Some(disk))
    }

    /// The file of a pinned map; `None`: this is a trial.
    fn pin(
        &mut self,
        map: &Name,
        (file, shared, options): (&PinnedFile, &SharedMap, &MapOptions),
    ) -> Result<Option<Arc<dyn BackEnd>>, StoreError> {
        let failed = |error| StoreError::Pinned {
            map: map.clone(),
            error,
        };
        let room = (file.key_bytes, shared.value_bytes_max as u64);
        let shape = Shape::for_entries(shared.entries_max, room);
        PinnedStore::check(&shape).map_err(failed)?;
        if self.opening == Opening::Trial {
            return Ok(None);
        }
        if let Some(folder) = file.path.parent().filter(|it| !it.as_os_str().is_empty()) {
            std::fs::create_dir_all(folder)
                .map_err(|error| failed(MapError::Io(format!("{}: {error}", folder.display()))))?;
        }
        let store = PinnedStore::make(&file.path, &shape, *options).map_err(failed)?;
        let store = Arc::new(store);
        self.pinned.push((map.clone(), Arc::clone(&store)));
        Ok(Some(store))
    }

    /// Maps in files that native processes share.
    pub(crate) fn pinned(&self) -> Vec<(Name, Arc<PinnedStore>)> {
        self.pinned.clone()
    }

    /// Those with connections.
    pub(crate) fn reports(&self) -> Vec<StoreReport> {
        let report = |(name, store): (&Name, &Opened)| {
            let Opened::Redis(stores) = store else {
                return None;
            };
            let (opened, lost) = stores.connections();
            let name = name.clone();
            Some(StoreReport { name, opened, lost })
        };
        self.opened.iter().filter_map(report).collect()
    }

    /// Notes beside each map's file what it is declared to hold.
    ///
    /// # Errors
    /// Which cannot be written.
    pub(crate) fn mark(&self, declarations: &Declarations) -> Result<(), DeclarationError> {
        let disks = self.disks.iter().map(|(map, disk)| (map, disk.stat()));
        let pinned = self.pinned.iter().map(|(map, store)| (map, store.stat()));
        for (map, stat) in disks.chain(pinned) {
            let entries = stat.now().map_or(0, |stat| stat.entries);
            declarations.stored(map, entries)?;
        }
        Ok(())
    }

    /// Gives the worker of this thread connections of its own. Inside of its `LocalSet`.
    pub(crate) fn serve_here(&self) {
        for store in self.opened.values() {
            if let Opened::Redis(stores) = store {
                stores.serve_here();
            }
        }
    }

    /// Writes maps in files to the end, and closes them. What comes later fails. Blocks.
    pub(crate) fn close(&self) {
        self.closed.call_once(|| self.close_all());
    }

    fn close_all(&self) {
        for (_, disk) in &self.disks {
            // All at once; waited for below.
            drop(disk.close());
        }
        let end = Instant::now() + limits::CLOSE_TIME;
        for (map, disk) in &self.disks {
            let left = end.saturating_duration_since(Instant::now());
            if let Err(error) = disk.close_within(left) {
                let file = disk.path().display();
                tracing::error!(
                    %map, %file, %error,
                    "the end of the map is not written: what was acknowledged last may be lost"
                );
            }
        }
    }
}

/// For a gateway that did not come to serve.
impl Drop for Stores {
    fn drop(&mut self) {
        self.close();
    }
}

enum Kept {
    Memory,
    Disk(Result<DiskStore, OpenError>),
    Redis(Result<Arc<dyn BackEnd>, MapError>),
}

impl Opened {
    fn kept(
        &self,
        (name, shared): (&Name, &SharedMap),
        (options, operator): (MapOptions, &Arc<Account>),
    ) -> Kept {
        match self {
            Self::Trial => Kept::Memory,
            Self::Durable(maps) => {
                Kept::Disk(maps.open(SCOPE, name, (options, Arc::clone(operator))))
            }
            Self::SsdBacked(maps) => {
                Kept::Disk(maps.open(SCOPE, name, (options, Arc::clone(operator))))
            }
            Self::Redis(stores) => {
                let map = RedisMap {
                    scope: SCOPE,
                    name,
                    slots: shared.slots,
                };
                let kept = stores.map(map, options);
                Kept::Redis(kept.map(|kept| match shared.cache {
                    None => Arc::new(kept) as Arc<dyn BackEnd>,
                    Some(near) => Arc::new(NearCache::new(
                        kept,
                        NearOptions {
                            ttl: near.ttl,
                            entries_max: near.entries_max,
                            bytes_max: near.bytes_max,
                        },
                        Arc::<SystemClock>::default(),
                    )),
                }))
            }
        }
    }
}

fn opened(name: &Name, store: &Store, opening: Opening) -> Result<Opened, StoreError> {
    let store = match store {
        Store::Durable(files) => Opened::Durable(DurableMaps::new(durable(files))),
        Store::SsdBacked(files) => Opened::SsdBacked(SsdMaps::new(cache(files))),
        Store::Redis(servers) => {
            let failed = |error| StoreError::Redis {
                store: name.clone(),
                error,
            };
            let config = config(name, servers)?;
            match opening {
                Opening::Open => Opened::Redis(RedisStores::open(config).map_err(failed)?),
                Opening::Trial => config.check().map(|()| Opened::Trial).map_err(failed)?,
            }
        }
    };
    Ok(match opening {
        Opening::Open => store,
        Opening::Trial => Opened::Trial,
    })
}

/// The file that a map is in, or is to be in; `None`: it is not in a file.
pub(super) fn file(site: &Site, (name, map): (&Name, &SharedMap)) -> Option<PathBuf> {
    let store = match &map.store {
        MapStore::Memory => return None,
        MapStore::Pinned(file) => return Some(file.path.clone()),
        MapStore::Named(store) => store,
    };
    match site.stores.get(store)? {
        Store::Durable(files) => Some(DurableMaps::new(durable(files)).path(SCOPE, name)),
        Store::SsdBacked(files) => Some(SsdMaps::new(cache(files)).path(SCOPE, name)),
        Store::Redis(_) => None,
    }
}

fn cache(files: &FileStore) -> SsdConfig {
    SsdConfig {
        folder: files.folder.clone(),
        memory_bytes: files.memory_bytes,
        lag: files.lag.unwrap_or(limits::CACHE_SYNC_INTERVAL),
    }
}

fn durable(files: &FileStore) -> DurableConfig {
    DurableConfig {
        folder: files.folder.clone(),
        durability: files.lag.map_or(Durability::Synced, Durability::Relaxed),
        memory_bytes: files.memory_bytes,
    }
}

fn config(store: &Name, servers: &RedisServers) -> Result<RedisStoreConfig, StoreError> {
    let password = |login: &Login, key| match &login.password {
        None => Ok(None),
        Some(Secret(Variable::Text(text))) => Ok(Some(text.clone())),
        Some(Secret(Variable::OfGateway(variable))) => match std::env::var(variable) {
            Ok(text) if !text.is_empty() => Ok(Some(text)),
            Ok(_) | Err(_) => Err(StoreError::Variable {
                store: store.clone(),
                key,
                variable: variable.clone(),
            }),
        },
    };
    Ok(RedisStoreConfig {
        kind: match &servers.kind {
            RedisServersKind::Single => RedisKind::Single,
            RedisServersKind::Sentinel { primary } => RedisKind::Sentinel {
                primary: primary.clone(),
            },
            RedisServersKind::Cluster => RedisKind::Cluster,
        },
        addresses: servers.addresses.iter().map(ToString::to_string).collect(),
        username: servers.login.username.clone(),
        password: password(&servers.login, "password")?,
        sentinel_username: servers.sentinel_login.username.clone(),
        sentinel_password: password(&servers.sentinel_login, "sentinel_password")?,
        database: servers.database,
        prefix: servers.prefix.clone(),
        deadline: servers.deadline,
        tls: servers.tls.as_ref().map(|tls| RedisTls {
            ca: tls.ca.clone(),
            identity: tls.identity.clone(),
            name: tls.name.clone(),
        }),
    })
}
