//! A primary, a replica, and three sentinels that watch them.

use std::process::{Child, Command, Stdio};

use tempfile::TempDir;
use weir_stores::redis::{RedisKind, RedisStoreConfig};

use super::{Program, Server, free_port, tell, until};

pub(crate) struct Sentinels {
    pub(crate) primary: Server,
    _replica: Server,
    watchers: Vec<(Child, u16)>,
    _folder: TempDir,
}

impl Sentinels {
    pub(crate) fn start() -> Self {
        let primary = Server::start(Program::Redis, &[]);
        let port = primary.port.to_string();
        let replica = Server::start(Program::Redis, &["--replicaof", "127.0.0.1", &port]);
        until("the copy is complete", || {
            replica
                .tell(&["info", "replication"])
                .contains("master_link_status:up")
        });
        let folder = TempDir::new().unwrap();
        let sentinels: Vec<(Child, u16)> = (0..3).map(|_| sentinel(&folder, &port)).collect();
        let group = Self {
            primary,
            _replica: replica,
            watchers: sentinels,
            _folder: folder,
        };
        until("the sentinels know each other", || {
            group.watchers.iter().all(|(_, port)| {
                let known = tell(*port, &["sentinel", "master", "maps"]);
                let has = |field: &str, value: &str| {
                    let lines: Vec<&str> = known.lines().collect();
                    lines.windows(2).any(|pair| pair == [field, value])
                };
                has("num-other-sentinels", "2") && has("num-slaves", "1")
            })
        });
        group
    }

    pub(crate) fn config(&self) -> RedisStoreConfig {
        let address = |(_, port): &(Child, u16)| format!("127.0.0.1:{port}");
        let primary = "maps".to_owned();
        let kind = RedisKind::Sentinel { primary };
        RedisStoreConfig::new(kind, self.watchers.iter().map(address).collect())
    }
}

impl Drop for Sentinels {
    fn drop(&mut self) {
        for (child, _) in &mut self.watchers {
            // It may be gone already.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn sentinel(folder: &TempDir, primary: &str) -> (Child, u16) {
    let port = free_port();
    let file = folder.path().join(format!("{port}.conf"));
    let settings = format!(
        "port {port}\nbind 127.0.0.1\nsentinel monitor maps 127.0.0.1 {primary} 2\n\
         sentinel down-after-milliseconds maps 1000\nsentinel failover-timeout maps 5000\n"
    );
    std::fs::write(&file, settings).unwrap();
    let child = Command::new("redis-server")
        .arg(&file)
        .arg("--sentinel")
        .current_dir(folder.path())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .expect("redis-server is installed: `.ci/run components`");
    until("the sentinel answers", || tell(port, &["ping"]) == "PONG");
    (child, port)
}
