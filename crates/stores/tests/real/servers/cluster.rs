//! Three primaries, and a replica of each.

use std::process::Command;

use weir_stores::redis::{RedisKind, RedisStoreConfig};

use super::{Program, Server, free_port, tell, until};

pub(crate) struct Cluster {
    pub(crate) servers: Vec<Server>,
}

impl Cluster {
    pub(crate) fn start(program: Program) -> Self {
        let servers: Vec<Server> = (0..6)
            .map(|_| {
                let bus = free_port().to_string();
                let arguments = ["--cluster-enabled", "yes", "--cluster-node-timeout", "2000"];
                let arguments = [&arguments[..], &["--cluster-port", &bus]].concat();
                Server::start(program, &arguments)
            })
            .collect();
        let output = Command::new("redis-cli")
            .args(["--cluster", "create"])
            .args(servers.iter().map(Server::address))
            .args(["--cluster-replicas", "1", "--cluster-yes"])
            .output()
            .expect("redis-cli is installed: `.ci/run components`");
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stdout)
        );
        let cluster = Self { servers };
        until("the cluster is whole", || {
            cluster.servers.iter().all(is_whole)
        });
        cluster
    }

    pub(crate) fn config(&self) -> RedisStoreConfig {
        let addresses = self.servers.iter().take(2).map(Server::address).collect();
        RedisStoreConfig::new(RedisKind::Cluster, addresses)
    }

    /// Who has the slot of a key.
    pub(crate) fn owner(&self, key: &str) -> usize {
        let slot: u16 = self.anybody(&["cluster", "keyslot", key]).parse().unwrap();
        let nodes = self.anybody(&["cluster", "nodes"]);
        let owns = |line: &&str| {
            line.contains("master")
                && !line.contains("fail")
                && line.split(' ').skip(8).any(|range| holds(range, slot))
        };
        let line = nodes.lines().find(owns).expect("somebody has the slot");
        let at = |server: &Server| line.contains(&format!(":{}@", server.port));
        self.servers
            .iter()
            .position(at)
            .expect("it is one of these")
    }

    /// The reply of some server that is alive.
    fn anybody(&self, command: &[&str]) -> String {
        let replies = self.servers.iter().map(|server| tell(server.port, command));
        replies
            .into_iter()
            .find(|reply| !reply.is_empty())
            .expect("somebody is alive")
    }
}

fn holds(range: &str, slot: u16) -> bool {
    let (first, last) = range.split_once('-').unwrap_or((range, range));
    let bounds = first.parse::<u16>().ok().zip(last.parse::<u16>().ok());
    bounds.is_some_and(|(first, last)| (first..=last).contains(&slot))
}

/// It knows all six, and copies are complete.
fn is_whole(server: &Server) -> bool {
    let nodes = server.tell(&["cluster", "nodes"]);
    let replica = server.tell(&["role"]).starts_with("slave");
    server
        .tell(&["cluster", "info"])
        .contains("cluster_state:ok")
        && nodes.lines().filter(|line| line.contains("slave")).count() == 3
        && (!replica
            || server
                .tell(&["info", "replication"])
                .contains("master_link_status:up"))
}
