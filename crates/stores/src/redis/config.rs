//! Where the servers are, and how to talk to them.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use weir_model::limits::redis as limits;

use super::tls::Tls;

/// How servers work together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RedisKind {
    /// There is one.
    Single,
    /// Sentinels, whose addresses are given, know where the primary of this name is.
    Sentinel {
        /// The name that the sentinels have for it.
        primary: String,
    },
    /// A cluster, some of whose nodes' addresses are given.
    Cluster,
}

/// A back end as it is configured.
#[derive(Clone, PartialEq, Eq)]
pub struct RedisStoreConfig {
    /// How the servers work together.
    pub kind: RedisKind,
    /// `host:port` of the server, of sentinels, or of nodes of the cluster.
    pub addresses: Vec<String>,
    /// For `AUTH`; without one the server's default user is meant.
    pub username: Option<String>,
    /// For `AUTH`.
    pub password: Option<String>,
    /// The same for sentinels, which have users of their own.
    pub sentinel_username: Option<String>,
    /// The same for sentinels.
    pub sentinel_password: Option<String>,
    /// The number of the database; a cluster has only 0.
    pub database: u32,
    /// What all keys begin with.
    pub prefix: String,
    /// How long an operation may take.
    pub deadline: Duration,
    /// How connections are encrypted; `None`: they are not.
    pub tls: Option<RedisTls>,
}

/// How the servers are recognised, and how they recognise the gateway. Files are in the PEM format.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RedisTls {
    /// Certificates of those who sign the servers'.
    pub ca: PathBuf,
    /// The gateway's certificate, with those between it and its signer, and its key.
    pub identity: Option<(PathBuf, PathBuf)>,
    /// The name that the servers' certificates must have; `None`: the host of the address.
    pub name: Option<String>,
}

/// What is wrong with a back end's configuration.
#[derive(Debug, thiserror::Error)]
pub enum RedisConfigError {
    /// Nobody to ask.
    #[error("addresses: expected at least one `host:port`")]
    NoAddress,
    /// A single server has one.
    #[error("addresses: a single server has one address, found {0}; a cluster has `kind: cluster`")]
    TooManyAddresses(usize),
    /// It cannot be connected to.
    #[error("addresses: `{0}` is not `host:port`")]
    Address(String),
    /// Clusters have one database.
    #[error("database: a cluster has only database 0, found {0}")]
    Database(u32),
    /// Keys would not be told apart.
    #[error("prefix: expected letters, digits, `-`, `_`, `.` and `:`, found `{0}`")]
    Prefix(String),
    /// No operation could end in time.
    #[error("deadline: expected at least 1ms")]
    Deadline,
    /// A user needs one.
    #[error("username: there is no password with it")]
    NoPassword,
    /// A file or name for encrypted connections cannot be used.
    #[error("tls.{key}: {why}")]
    Tls {
        /// Which key.
        key: &'static str,
        /// Which file, and what is wrong with it.
        why: String,
    },
    /// The system refused it.
    #[error("the back end's thread cannot be started: {0}")]
    Thread(#[from] std::io::Error),
}

impl RedisStoreConfig {
    /// One server, without a login.
    #[must_use]
    pub fn single(address: &str) -> Self {
        Self::new(RedisKind::Single, vec![address.to_owned()])
    }

    /// Any kind, without a login.
    #[must_use]
    pub fn new(kind: RedisKind, addresses: Vec<String>) -> Self {
        Self {
            kind,
            addresses,
            username: None,
            password: None,
            sentinel_username: None,
            sentinel_password: None,
            database: 0,
            prefix: "weir".to_owned(),
            deadline: limits::DEADLINE,
            tls: None,
        }
    }

    /// # Errors
    /// What makes no sense.
    pub fn check(&self) -> Result<(), RedisConfigError> {
        if self.addresses.is_empty() {
            return Err(RedisConfigError::NoAddress);
        }
        if self.kind == RedisKind::Single && self.addresses.len() > 1 {
            return Err(RedisConfigError::TooManyAddresses(self.addresses.len()));
        }
        for address in &self.addresses {
            let port = address
                .rsplit_once(':')
                .filter(|(host, _)| !host.is_empty());
            if port.is_none_or(|(_, port)| port.parse::<u16>().is_err()) {
                return Err(RedisConfigError::Address(address.clone()));
            }
        }
        if self.kind == RedisKind::Cluster && self.database != 0 {
            return Err(RedisConfigError::Database(self.database));
        }
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:".contains(&byte);
        if self.prefix.is_empty() || !self.prefix.bytes().all(plain) {
            return Err(RedisConfigError::Prefix(self.prefix.clone()));
        }
        if self.deadline < Duration::from_millis(1) {
            return Err(RedisConfigError::Deadline);
        }
        if (self.username.is_some() && self.password.is_none())
            || (self.sentinel_username.is_some() && self.sentinel_password.is_none())
        {
            return Err(RedisConfigError::NoPassword);
        }
        self.tls
            .as_ref()
            .map_or(Ok(()), |tls| Tls::load(tls).map(drop))
    }
}

/// Without passwords.
impl fmt::Debug for RedisStoreConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisStoreConfig")
            .field("kind", &self.kind)
            .field("addresses", &self.addresses)
            .field("username", &self.username)
            .field("database", &self.database)
            .field("prefix", &self.prefix)
            .field("deadline", &self.deadline)
            .field("tls", &self.tls)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_makes_no_sense_is_named() {
        let good = RedisStoreConfig::single("localhost:6379");
        good.check().expect("it makes sense");
        let mut wrong = vec![];
        let mut with = |change: &dyn Fn(&mut RedisStoreConfig)| {
            let mut config = good.clone();
            change(&mut config);
            let error = config.check().expect_err("it makes no sense");
            wrong.push(error.to_string().split(':').next().map(str::to_owned));
        };
        with(&|it| it.addresses.clear());
        with(&|it| it.addresses.push("other:1".into()));
        with(&|it| it.addresses[0] = "localhost".into());
        with(&|it| it.addresses[0] = ":6379".into());
        with(&|it| it.prefix = "a{b".into());
        with(&|it| it.deadline = Duration::ZERO);
        with(&|it| it.username = Some("weir".into()));
        with(&|it| (it.kind, it.database) = (RedisKind::Cluster, 1));
        let keys = wrong.iter().flatten().map(String::as_str);
        assert_eq!(
            keys.collect::<Vec<_>>(),
            [
                "addresses",
                "addresses",
                "addresses",
                "addresses",
                "prefix",
                "deadline",
                "username",
                "database"
            ]
        );
    }

    #[test]
    fn passwords_are_not_shown() {
        let mut config = RedisStoreConfig::single("localhost:6379");
        config.password = Some("secret".into());
        config.sentinel_password = Some("secret".into());
        assert!(!format!("{config:?}").contains("secret"));
    }
}
