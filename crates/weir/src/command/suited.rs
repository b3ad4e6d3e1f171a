//! Which kinds of function a module can be, and what it needs for that, as its imports and exports
//! say.

use std::fmt;

use serde_json::{Value, json};
use weir_guest::inspect::{Kind, Purpose, Report};
use weir_model::FunctionGrants;

/// What a module can be as a function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Suited {
    /// Words of `functions.NAME.kind`, and why. The first one is what `auto` takes, unless it is an
    /// export.
    pub(super) kinds: Vec<(&'static str, String)>,
    pub(super) needs: Vec<Need>,
    /// What the host does not offer to it.
    pub(super) unknown: Vec<String>,
}

/// Something that a function is given by its configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Need {
    Requests,
    Files,
    Maps,
    Settings,
    Environment,
    /// Which it links, and never gets.
    Sockets,
}

impl Need {
    const ALL: [Self; 6] = [
        Self::Requests,
        Self::Files,
        Self::Maps,
        Self::Settings,
        Self::Environment,
        Self::Sockets,
    ];

    /// The key of the configuration.
    const fn key(self) -> &'static str {
        match self {
            Self::Requests => "grants.http, grants.functions",
            Self::Files => "grants.files",
            Self::Maps => "grants.maps",
            Self::Settings => "settings",
            Self::Environment => "environment, arguments",
            Self::Sockets => "no key",
        }
    }

    /// Whether an import is about it.
    fn is_asked_by(self, (module, name): (&str, &str)) -> bool {
        // The interface of a component, or the function of a core module.
        let starts =
            |all: &[&str]| module.is_empty() && all.iter().any(|one| name.starts_with(one));
        let is = |of: &str, all: &[&str]| module == of && all.contains(&name);
        match self {
            Self::Requests => {
                starts(&["wasi:http/outgoing-handler@", "wasi:http/client@"])
                    || is("weir_v1", &["fetch"])
                    || is("env", &["main.getHttpResp", "get_http_resp"])
            }
            Self::Files => {
                starts(&["wasi:filesystem/preopens@"])
                    || is(PREVIEW_1, &["path_open", "path_filestat_get", "fd_readdir"])
            }
            Self::Maps => {
                starts(&["wasi-map:map", "wasi:keyvalue/"])
                    || module == "wasi_map_v1"
                    || module == "wasi_map"
            }
            Self::Settings => starts(&["wasi:config/"]) || is("weir_v1", &["setting"]),
            Self::Environment => {
                starts(&["wasi:cli/environment@"]) || is(PREVIEW_1, &["environ_get", "args_get"])
            }
            Self::Sockets => starts(&["wasi:sockets/"]),
        }
    }

    /// Whether its grants are empty.
    fn is_missing(self, grants: &FunctionGrants) -> bool {
        match self {
            Self::Maps => grants.maps.maps.is_empty(),
            // What languages bring along imports these whether the program uses them or not.
            Self::Requests | Self::Files | Self::Settings | Self::Environment | Self::Sockets => {
                false
            }
        }
    }
}

impl fmt::Display for Need {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Requests => "requests to servers and functions: grants.http, grants.functions",
            Self::Files => "files, if it opens any: grants.files",
            Self::Maps => "shared maps: grants.maps",
            Self::Settings => "settings: settings",
            Self::Environment => "variables and arguments: environment, arguments",
            Self::Sockets => "sockets, every call of which is denied",
        })
    }
}

const PREVIEW_1: &str = "wasi_snapshot_preview1";

/// Packages of interfaces that functions may import.
const OFFERED: [&str; 9] = [
    "wasi:cli/",
    "wasi:clocks/",
    "wasi:config/",
    "wasi:filesystem/",
    "wasi:http/",
    "wasi:io/",
    "wasi:keyvalue/",
    "wasi:random/",
    "wasi:sockets/",
];

impl Suited {
    /// What a report says; `None`: a plugin, which no function is.
    pub(super) fn of(report: &Report) -> Option<Self> {
        if report.purpose == Purpose::ProxyWasmPlugin {
            return None;
        }
        let kinds = match report.kind {
            Kind::Component => kinds_of_component(report),
            Kind::CoreModule => kinds_of_module(report),
        };
        let imports = || {
            let imports = report.all_imports();
            imports.map(|(_, import)| (&*import.module, &*import.name))
        };
        let needs = Need::ALL.into_iter();
        Some(Self {
            kinds,
            needs: needs
                .filter(|need| imports().any(|import| need.is_asked_by(import)))
                .collect(),
            unknown: imports()
                .filter(|import| !is_offered(*import))
                .map(|(module, name)| match module {
                    "" => name.to_owned(),
                    module => format!("{module}.{name}"),
                })
                .collect(),
        })
    }

    /// What it imports, and is not granted.
    pub(super) fn missing(&self, grants: &FunctionGrants) -> impl Iterator<Item = &Need> {
        self.needs.iter().filter(|need| need.is_missing(grants))
    }

    /// The same for programs.
    pub(super) fn json(&self) -> Value {
        let kinds = self.kinds.iter();
        let kinds = kinds.map(|(kind, why)| json!({ "kind": kind, "because": why }));
        json!({
            "kinds": kinds.collect::<Vec<_>>(),
            "needs": self.needs.iter().map(|need| need.key()).collect::<Vec<_>>(),
            "not_offered": self.unknown,
        })
    }
}

fn is_offered((module, name): (&str, &str)) -> bool {
    match module {
        "" => OFFERED.iter().any(|of| name.starts_with(of)) || name.starts_with("wasi-map:map"),
        "env" => matches!(
            name,
            "add" | "main.add" | "get_http_resp" | "main.getHttpResp"
        ),
        module => matches!(module, "weir_v1" | "wasi_map_v1" | "wasi_map" | PREVIEW_1),
    }
}

fn kinds_of_component(report: &Report) -> Vec<(&'static str, String)> {
    let names = || report.exports.others.iter().map(|export| &*export.name);
    let with = |kind: &'static str, beginnings: &[&str]| {
        let exports = |name: &&str| beginnings.iter().any(|one| name.starts_with(one));
        let found = names().find(exports)?;
        Some((kind, format!("it exports {found}")))
    };
    let handler = with(
        "http",
        &["wasi:http/incoming-handler@0.2", "wasi:http/handler@0.3"],
    );
    let program = with("command", &["wasi:cli/run@0.2", "wasi:cli/run@0.3"]);
    let own: Vec<&str> = names().filter(|name| !name.starts_with("wasi:")).collect();
    let export = (!own.is_empty()).then(|| {
        let all = own.join(", ");
        (
            "export",
            format!("it exports {all}; INTERFACE#FUNCTION names one of an interface"),
        )
    });
    handler.into_iter().chain(program).chain(export).collect()
}

fn kinds_of_module(report: &Report) -> Vec<(&'static str, String)> {
    let exports = &report.exports;
    let has_handle = exports.others.iter().any(|export| export.name == "handle");
    let has_start = exports.start.iter().any(|name| name == "_start");
    let core = has_handle.then(|| ("core", "it exports handle".to_owned()));
    let command = has_start.then(|| ("command", "it exports _start".to_owned()));
    core.into_iter().chain(command).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, kinds: &[&str], needs: &[Need], unknown: &[&str]) {
        let bytes = wat::parse_str(text).expect("a module");
        let report = weir_guest::inspect::inspect(&bytes).expect("a report");
        let suited = Suited::of(&report).expect("no plugin");
        let found: Vec<_> = suited.kinds.iter().map(|(kind, _)| *kind).collect();
        assert_eq!(found, kinds);
        assert_eq!(suited.needs, needs);
        assert_eq!(suited.unknown, unknown);
    }

    #[test]
    fn core_modules_are_known_by_what_they_export() {
        let types = "(func (export \"_start\"))";
        check(&format!("(module {types})"), &["command"], &[], &[]);
        let imports = r#"(import "weir_v1" "fetch" (func)) (import "weir_v1" "setting" (func))
            (import "wasi_snapshot_preview1" "path_open" (func)) (import "other" "thing" (func))"#;
        check(
            &format!("(module {imports} (func (export \"handle\")) {types})"),
            &["core", "command"],
            &[Need::Requests, Need::Files, Need::Settings],
            &["other.thing"],
        );
    }

    #[test]
    fn components_are_known_by_their_interfaces() {
        check("(component)", &[], &[], &[]);
        let text = r#"(component
            (import "wasi:http/outgoing-handler@0.2.3" (instance))
            (import "wasi:keyvalue/store@0.2.0-draft" (instance))
            (import "wasi:sockets/tcp@0.2.0" (instance))
            (import "acme:own/thing" (instance))
            (instance $it)
            (export "wasi:cli/run@0.2.0" (instance $it))
            (export "acme:shapes/area@1.0.0" (instance $it))
            (export "wasi:http/incoming-handler@0.2.0" (instance $it)))"#;
        check(
            text,
            &["http", "command", "export"],
            &[Need::Requests, Need::Maps, Need::Sockets],
            &["acme:own/thing"],
        );
    }
}
