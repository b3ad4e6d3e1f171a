//! The scripts that the servers run, and the commands that run them.

use std::fmt::Write as _;
use std::sync::LazyLock;

use redis::Cmd;
use sha1::{Digest, Sha1};
use weir_model::limits::maps as limits;

use super::names::Part;

/// A script: its source and the name that servers know it by.
#[derive(Debug)]
pub(super) struct Script {
    pub(super) source: String,
    sha: String,
    /// May be run again if nobody knows whether it was run.
    repeatable: bool,
}

/// One operation as it is sent.
#[derive(Clone, Debug)]
pub(super) struct Request {
    pub(super) command: Cmd,
    /// What to load if the server does not know it.
    pub(super) script: Option<&'static Script>,
    /// May be sent again if nobody knows whether it was done.
    pub(super) repeatable: bool,
}

macro_rules! scripts {
    ($($name:ident: $($part:literal)*, $repeatable:literal;)*) => {
        $(pub(super) static $name: LazyLock<Script> = LazyLock::new(|| {
            Script::new(concat!(
                include_str!("scripts/common.lua"),
                $(include_str!(concat!("scripts/", $part, ".lua"))),*
            ), $repeatable)
        });)*

        /// All of them: servers are told of them before they are needed.
        pub(super) fn all() -> impl Iterator<Item = &'static Script> {
            [$(&*$name),*].into_iter()
        }
    };
}

scripts! {
    SET: "drop" "store" "set", false;
    REMOVE: "drop" "remove", false;
    ADD: "drop" "store" "sum" "add", false;
    BATCH: "drop" "store" "sum" "batch", false;
    SCAN: "scan", true;
    CLEAR: "drop" "clear", false;
    STAT: "stat", true;
    SWEEP: "drop" "sweep", true;
    WATCH: "watch", true;
    ATTACH: "attach", true;
}

impl Script {
    fn new(source: &str, repeatable: bool) -> Self {
        let source = source.replace("$ENTRY_BYTES", &limits::ENTRY_BYTES.to_string());
        let mut sha = String::with_capacity(40);
        for byte in Sha1::digest(source.as_bytes()) {
            // Writing to a string cannot fail.
            let _ = write!(sha, "{byte:02x}");
        }
        Self {
            source,
            sha,
            repeatable,
        }
    }

    /// A run of it, up to the arguments that all scripts take.
    pub(super) fn run(&'static self, part: &Part, common: &Common) -> Request {
        let mut command = Cmd::new();
        command.arg("EVALSHA").arg(&self.sha).arg(part.keys.len());
        for key in &part.keys {
            command.arg(key);
        }
        command
            .arg(common.entries_max)
            .arg(common.bytes_max)
            .arg(common.ttl_ms)
            .arg(common.publish)
            .arg(&part.channel);
        Request {
            command,
            script: Some(self),
            repeatable: self.repeatable,
        }
    }
}

/// What all scripts take of a map.
#[derive(Clone, Copy, Debug)]
pub(super) struct Common {
    pub(super) entries_max: u64,
    pub(super) bytes_max: u64,
    pub(super) ttl_ms: u64,
    /// Within a cluster messages stay in the slot that they are about.
    pub(super) publish: &'static str,
}

impl Request {
    /// With another argument.
    pub(super) fn with(mut self, argument: impl redis::ToRedisArgs) -> Self {
        self.command.arg(argument);
        self
    }
}
