//! What the operator says of the filter itself. Rules are not here: they are in the map.

use flow_rules::Wanted;
use serde::Deserialize;

/// The filter's configuration. All of it has defaults.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Configuration {
    /// The map with rule sets.
    pub(crate) rules: String,
    /// The map with what is counted.
    pub(crate) state: String,
    /// What of a request names its resource.
    pub(crate) resource: Resource,
    /// What `paramIdx` of a rule counts, from 0 on.
    pub(crate) parameters: Vec<Wanted>,
    pub(crate) blocked: Answer,
    pub(crate) on_map_failure: Otherwise,
}

/// Where a request's resource comes from.
#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Resource {
    /// The name of its route.
    Route,
    /// Its path, without the query.
    Path,
    /// A header.
    Header(String),
}

/// How a request is refused.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Answer {
    pub(crate) status: u32,
    /// A header that names the rule; none if empty.
    pub(crate) header: String,
    /// `{rule}`, `{resource}` and `{limit}` are replaced.
    pub(crate) body: String,
}

/// What is done if the state map cannot be asked.
#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Otherwise {
    /// The request is refused with 503.
    Closed,
    /// It goes on, uncounted.
    Open,
}

impl Configuration {
    pub(crate) fn read(text: &[u8]) -> Result<Self, String> {
        let mut configuration = if text.is_empty() {
            Self::default()
        } else {
            serde_json::from_slice(text).map_err(|error| error.to_string())?
        };
        let status = configuration.blocked.status;
        if !(400..600).contains(&status) {
            return Err(format!("blocked: status: {status}; expected 400 to 599"));
        }
        for parameter in &mut configuration.parameters {
            if let Wanted::Header(name) = parameter {
                name.make_ascii_lowercase();
            }
        }
        Ok(configuration)
    }
}

impl Default for Configuration {
    fn default() -> Self {
        Self {
            rules: "flow-rules".to_owned(),
            state: "flow-state".to_owned(),
            resource: Resource::Route,
            parameters: Vec::new(),
            blocked: Answer::default(),
            on_map_failure: Otherwise::Closed,
        }
    }
}

impl Default for Answer {
    fn default() -> Self {
        Self {
            status: 429,
            header: "x-flow-rule".to_owned(),
            body: "too many requests: rule {rule} lets {resource} have {limit}\n".to_owned(),
        }
    }
}
