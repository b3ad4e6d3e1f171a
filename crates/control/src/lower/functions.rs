//! From `functions:` to what the operator wants.

use std::path::Path;

use weir_model::{Function, FunctionGrants, FunctionLimits, HostGrant, HostRule, Name, Randomness};

use super::grants::lowered_folder;
use super::lowered_variable;
use super::maps::Granted;
use crate::file::{FunctionGrantsText, FunctionLimitsText, FunctionText, HostGrantText};
use crate::problem::Refusal;
use crate::shape::text::HostGrantName;
use crate::shape::{Placed, Reader};

pub(super) fn lowered_function(
    name: Name,
    function: FunctionText,
    folder: &Path,
    reader: &mut Reader<'_>,
) -> Function {
    let environment = function.environment.0.into_iter();
    let settings = function.settings.0.into_iter();
    Function {
        name,
        module: function.module.name,
        kind: function.kind.0,
        environment: environment
            .map(|(name, value)| (name.0, lowered_variable(value)))
            .collect(),
        arguments: function
            .arguments
            .0
            .into_iter()
            .map(|text| text.0)
            .collect(),
        settings: settings
            .map(|(name, value)| (name.0, lowered_variable(value)))
            .collect(),
        grants: function
            .grants
            .map(|grants| lowered_grants(grants, folder, reader))
            .unwrap_or_default(),
        limits: function
            .limits
            .as_ref()
            .map(FunctionLimitsText::lowered)
            .unwrap_or_default(),
    }
}

fn lowered_grants(
    grants: FunctionGrantsText,
    folder: &Path,
    reader: &mut Reader<'_>,
) -> FunctionGrants {
    let hosts = grants.http.0.into_iter();
    let hosts = hosts.map(|host| lowered_host(&host, reader)).collect();
    let files = grants.files.0.into_iter();
    let files = files.filter_map(|file| lowered_folder(file, folder, reader));
    let files = files.collect();
    let maps = Granted {
        maps: grants.maps,
        default: grants.default_map,
        quota: grants.map_quota,
        rate: grants.map_rate,
        budget: grants.map_budget,
    };
    FunctionGrants {
        http: hosts,
        functions: grants.functions.0.into_iter().map(|one| one.name).collect(),
        maps: maps.lowered(reader),
        files,
        random: if grants.random {
            Randomness::Granted
        } else {
            Randomness::Denied
        },
    }
}

fn lowered_host(host: &Placed<HostGrantText>, reader: &mut Reader<'_>) -> HostGrant {
    let Placed { value, place } = host;
    let HostGrantName { rule, port } = &value.host;
    if let (HostRule::Address(address), true) = (rule, value.private) {
        let what = format!("private: true beside the address {address}, which is granted as it is");
        let refusal = Refusal::new(what, "", "private beside a name only");
        reader.refuse_at(place, refusal);
    }
    HostGrant {
        host: rule.clone(),
        port: *port,
        is_private: value.private,
    }
}

impl FunctionLimitsText {
    fn lowered(&self) -> FunctionLimits {
        FunctionLimits {
            memory_bytes: self.memory.0,
            time: self.time.0,
            timeout: self.timeout.0,
            request_bytes: self.request_bytes.0,
            response_bytes: self.response_bytes.0,
            instances: self.instances.to(),
            queue: self.queue.to(),
            queue_timeout: self.queue_timeout.0,
            fetches: self.fetches.to(),
            depth: self.depth.to(),
        }
    }
}
