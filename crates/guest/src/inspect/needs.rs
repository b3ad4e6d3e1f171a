//! What a module would have to be granted, as settings of a filter.

use std::fmt::Write as _;

use serde::Serialize;

use super::facts::{Facts, Item};
use crate::abi::{self, CALLBACKS, Topic};

/// Settings under which a module can do all that its imports allow.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "independent facts; each has its own name and reader"
)]
pub struct Needs {
    /// Host functions that it imports and callbacks that it exports.
    pub capabilities: Vec<String>,
    /// It sends HTTP, gRPC or Redis calls.
    pub clusters: bool,
    /// It looks for queues of other VM ids.
    pub vm_ids: bool,
    /// It calls foreign functions. Which ones, its imports do not say.
    pub foreign_functions: bool,
    /// It opens shared maps. Which ones, its imports do not say.
    pub maps: bool,
    /// It can open files.
    pub files: bool,
    /// It reads random bytes.
    pub random: bool,
    /// It writes headers. Which ones, its imports do not say.
    pub write_headers: bool,
}

impl Needs {
    pub(super) fn of(facts: &Facts<'_>) -> Self {
        let mut needs = Self::default();
        for import in &facts.imports {
            let Some(function) = abi::find(import.module, import.name) else {
                continue;
            };
            if function.topic == Topic::Runtime {
                continue;
            }
            needs.note(function.capability, function.topic);
        }
        for export in &facts.exports {
            let is_callback = CALLBACKS
                .iter()
                .any(|callback| callback.name == export.name);
            if is_callback && matches!(export.item, Item::Function(_)) {
                needs.list(export.name);
            }
        }
        needs
    }

    fn list(&mut self, name: &str) {
        if !self.capabilities.iter().any(|known| known == name) {
            self.capabilities.push(name.to_owned());
        }
    }

    fn note(&mut self, name: &str, topic: Topic) {
        self.list(name);
        match topic {
            Topic::Callouts => self.clusters |= name == "proxy_http_call",
            Topic::Grpc => self.clusters |= matches!(name, "proxy_grpc_call" | "proxy_grpc_stream"),
            Topic::Redis => self.clusters = true,
            Topic::Queues => self.vm_ids |= name == "proxy_resolve_shared_queue",
            Topic::Maps => self.maps |= name == "wasi_map_open",
            Topic::Foreign => self.foreign_functions = true,
            Topic::WasiPaths => self.files |= name == "path_open",
            Topic::WasiSystem => self.random |= name == "random_get",
            Topic::Headers => {
                let writes = ["_add_", "_replace_", "_remove_", "_set_"];
                self.write_headers |= writes.iter().any(|write| name.contains(write));
            }
            Topic::Buffers
            | Topic::StreamControl
            | Topic::SharedData
            | Topic::Metrics
            | Topic::Properties
            | Topic::Timers
            | Topic::Logging
            | Topic::Runtime
            | Topic::WasiEnvironment
            | Topic::WasiDescriptors
            | Topic::WasiSockets => {}
        }
    }

    /// The settings as YAML for a filter. Names that imports do not tell are left to be filled in.
    #[must_use]
    pub fn yaml(&self) -> String {
        let mut text = String::from("capabilities:\n");
        for name in &self.capabilities {
            let _ = writeln!(text, "  - {name}");
        }
        text.push_str("grants:\n");
        let mut key = |is_used: bool, used: &str, unused: &str| {
            text.push_str("  ");
            text.push_str(if is_used { used } else { unused });
            text.push('\n');
        };
        key(
            self.clusters,
            "clusters: [] # it sends calls: name the clusters",
            "clusters: []",
        );
        key(
            self.vm_ids,
            "vm_ids: [] # it looks for queues of others: name their vm_ids",
            "vm_ids: []",
        );
        key(
            self.foreign_functions,
            "foreign_functions: [] # it calls some; which ones shows only when it runs: mode: dry_run",
            "foreign_functions: []",
        );
        if self.maps {
            key(
                true,
                "maps: {} # it opens some: name them with rights, NAME: [read, write]",
                "",
            );
        }
        key(
            self.files,
            "files: [] # it can open files: name folders, { host: ./data, guest: /data }",
            "files: []",
        );
        key(self.random, "random: true", "random: false");
        if self.write_headers {
            key(
                true,
                "write_headers: [] # only for headers that are protected",
                "",
            );
        }
        text
    }
}
