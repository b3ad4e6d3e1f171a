//! Back ends of maps, as the operator configures them.
//!
//! Invariant: each name in [`crate::MapStore::Named`] is one of [`crate::Site::stores`].

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use crate::{Endpoint, Variable};

/// What keeps maps outside of the gateway's memory.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(
    clippy::large_enum_variant,
    reason = "a configuration has a few of them"
)]
pub enum Store {
    /// Files of the gateway's own; what is acknowledged stays.
    Durable(FileStore),
    /// Memory over files: caches that are larger than memory.
    SsdBacked(FileStore),
    /// Redis or Valkey, shared by many gateways.
    Redis(RedisServers),
}

/// Maps in files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileStore {
    /// The folder with a file for each map.
    pub folder: PathBuf,
    /// How long an acknowledged change may be missing on the disk; `None`: it never is.
    pub lag: Option<Duration>,
    /// Bytes of large values that each map keeps in memory.
    pub memory_bytes: u64,
}

/// Redis or Valkey.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RedisServers {
    /// How the servers work together.
    pub kind: RedisServersKind,
    /// The server, sentinels, or nodes of the cluster. At least one.
    pub addresses: Vec<Endpoint>,
    /// Who the gateway is to them.
    pub login: Login,
    /// Who it is to sentinels, which have users of their own.
    pub sentinel_login: Login,
    /// The number of the database.
    pub database: u32,
    /// What all keys begin with.
    pub prefix: String,
    /// How long an operation may take.
    pub deadline: Duration,
    /// How connections are encrypted; `None`: they are not.
    pub tls: Option<RedisTls>,
}

/// How the servers are recognised, and how they recognise the gateway.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RedisTls {
    /// Certificates of those who sign the servers'.
    pub ca: PathBuf,
    /// The gateway's certificate, with those between it and its signer, and its key.
    pub identity: Option<(PathBuf, PathBuf)>,
    /// The name that the servers' certificates must have; `None`: that of the address.
    pub name: Option<String>,
}

/// How servers work together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RedisServersKind {
    /// There is one.
    Single,
    /// Sentinels know where the primary of this name is.
    Sentinel {
        /// The name that the sentinels have for it.
        primary: String,
    },
    /// A cluster.
    Cluster,
}

/// A name and a password. A name never comes without a password.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Login {
    /// Left out: the default user.
    pub username: Option<String>,
    /// Left out: none is sent.
    pub password: Option<Secret>,
}

/// A text that no log or page may show.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(pub Variable);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

/// As it is written in a configuration.
impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.host {
            crate::EndpointHost::Ip(ip) => std::net::SocketAddr::new(*ip, self.port).fmt(f),
            crate::EndpointHost::Dns(host) => write!(f, "{host}:{}", self.port),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_not_shown() {
        let secret = Secret(Variable::Text("hush".into()));
        assert!(!format!("{secret:?}").contains("hush"));
    }
}
