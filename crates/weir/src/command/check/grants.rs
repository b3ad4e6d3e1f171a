//! What a use lacks: what its module imports and is not granted.

use weir_guest::inspect::Report;
use weir_guest::{abi, inspect::Needs};
use weir_model::{Filter, GrantMode, Pattern, Randomness, Sees, Site};
use weir_proxy::property::names;

use super::{Finding, Findings};

/// Says what the filter's module may ask for in vain.
pub(super) fn judge(report: &Report, filter: &Filter, site: &Site, findings: &mut Findings) {
    let grants = &filter.grants;
    let mut tell = |text: String| {
        let lets = if grants.mode == GrantMode::DryRun {
            " (a dry run: it is let, and noted)"
        } else {
            ""
        };
        findings.notes.push(Finding {
            module: filter.module.to_string(),
            text: format!("filter {}: {text}{lets}", filter.name),
        });
    };
    let needs = &report.needs;
    if let Some(text) = unlisted(needs, filter.capabilities.as_deref()) {
        tell(text);
    }
    if needs.random && grants.randomness == Randomness::Denied {
        tell("its module imports random_get, which random: false makes fail; the start of Go and Rust plugins may need it".to_owned());
    }
    if needs.clusters && grants.clusters.as_ref().is_some_and(Vec::is_empty) {
        tell("its module sends calls, and its grants name no cluster".to_owned());
    }
    if needs.foreign_functions && grants.foreign_functions.as_ref().is_some_and(Vec::is_empty) {
        tell("its module calls foreign functions, and its grants name none".to_owned());
    }
    if needs.maps && grants.maps.maps.is_empty() {
        tell("its module opens shared maps, and its grants name none".to_owned());
    }
    for name in grants.foreign_functions.iter().flatten() {
        if !weir_proxy::foreign::NAMES.contains(&name.as_str()) {
            let meant = weir_control::nearest(name, weir_proxy::foreign::NAMES.iter().copied());
            let meant =
                meant.map_or_else(String::new, |meant| format!("; did you mean \"{meant}\"?"));
            tell(format!(
                "its grants name the foreign function \"{name}\", which this host does not have{meant}"
            ));
        }
    }
    for text in filter.sees.iter().flat_map(idle_rules) {
        tell(text);
    }
    for vm_id in grants.vm_ids.iter().flatten() {
        if !site.filters.values().any(|other| *other.vm_id == **vm_id) {
            tell(format!(
                "its grants name the vm_id \"{vm_id}\", which no filter has"
            ));
        }
    }
}

/// Rules of sight that do nothing: what is to be hidden would be shown.
fn idle_rules(sees: &Sees) -> Vec<String> {
    let sections = [
        ("request_headers", &sees.request_headers),
        ("response_headers", &sees.response_headers),
        ("query", &sees.query),
        ("properties", &sees.properties),
    ];
    let mut texts = Vec::new();
    for (section, rules) in sections {
        for (index, (pattern, _)) in rules.iter().enumerate() {
            let mut earlier = rules[..index].iter().map(|(earlier, _)| earlier);
            if let Some(earlier) = earlier.find(|earlier| earlier.covers(pattern)) {
                texts.push(format!(
                    "sees.{section}: the rule for \"{}\" never counts, as the one for \"{}\" stands before it",
                    pattern.text(),
                    earlier.text()
                ));
            }
        }
    }
    for (pattern, _) in &sees.properties {
        // Any other name may be one that a plugin gives.
        if let Pattern::Exact(name) = pattern
            && !names::is_known(name)
            && let Some(meant) = weir_control::nearest(name, names::KNOWN)
        {
            texts.push(format!(
                "sees.properties names \"{name}\", which is no property of this host; did you mean \"{meant}\"?"
            ));
        }
    }
    texts
}

/// Functions and callbacks that a list of capabilities leaves out.
fn unlisted(needs: &Needs, capabilities: Option<&[String]>) -> Option<String> {
    let listed = capabilities?;
    let missing = |name: &&String| !listed.contains(*name);
    let (callbacks, functions): (Vec<&str>, Vec<&str>) = needs
        .capabilities
        .iter()
        .filter(missing)
        .map(String::as_str)
        .partition(|name| abi::CALLBACKS.iter().any(|callback| callback.name == *name));
    let functions = (!functions.is_empty()).then(|| {
        format!(
            "its module imports what its capabilities do not list, and will be refused it: {}",
            functions.join(", ")
        )
    });
    let callbacks = (!callbacks.is_empty()).then(|| {
        format!(
            "its module has callbacks that its capabilities do not list, and that are not called: {}",
            callbacks.join(", ")
        )
    });
    let texts: Vec<String> = functions.into_iter().chain(callbacks).collect();
    (!texts.is_empty()).then(|| texts.join("; "))
}
