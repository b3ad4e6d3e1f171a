//! Rules as they are written: Sentinel's field names, and what we say to those that we do not have.

use serde::Deserialize;
use serde_json::Value;

/// Every field that a flow rule or a hot-parameter rule of Sentinel may have.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(crate) struct Shape {
    pub(crate) resource: String,
    pub(crate) limit_app: Option<String>,
    pub(crate) grade: Option<i64>,
    pub(crate) count: Option<f64>,
    pub(crate) strategy: Option<i64>,
    pub(crate) ref_resource: Option<String>,
    pub(crate) control_behavior: Option<i64>,
    pub(crate) warm_up_period_sec: Option<i64>,
    pub(crate) max_queueing_time_ms: Option<i64>,
    pub(crate) cluster_mode: Option<bool>,
    pub(crate) cluster_config: Option<Value>,
    pub(crate) regex: Option<bool>,
    pub(crate) param_idx: Option<i64>,
    pub(crate) param_item: Option<Item>,
    pub(crate) duration_in_sec: Option<i64>,
    pub(crate) burst_count: Option<i64>,
    pub(crate) param_flow_item_list: Option<Vec<Exception>>,
    /// Sentinel's dashboard puts these into what it writes. They say nothing about a limit.
    #[serde(rename = "id")]
    _id: Option<Value>,
    #[serde(rename = "app")]
    _app: Option<Value>,
    #[serde(rename = "ip")]
    _ip: Option<Value>,
    #[serde(rename = "port")]
    _port: Option<Value>,
    #[serde(rename = "gmtCreate")]
    _created: Option<Value>,
    #[serde(rename = "gmtModified")]
    _modified: Option<Value>,
}

/// A part of a request, as Sentinel's gateway rules name it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Item {
    pub(crate) parse_strategy: i64,
    pub(crate) field_name: Option<String>,
    pub(crate) pattern: Option<String>,
    #[serde(rename = "matchStrategy")]
    _match_strategy: Option<i64>,
}

/// A value with a count of its own.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Exception {
    pub(crate) object: Value,
    pub(crate) count: i64,
    #[serde(rename = "classType")]
    _class_type: Option<Value>,
}
