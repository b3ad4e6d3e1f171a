//! The configuration file: each section and key, defined once.
//!
//! The doc comment of a key is its line in the schema and in `docs/configuration.md`.

pub(crate) mod capsules;
pub(crate) mod cluster;
pub(crate) mod code;
pub(crate) mod failure;
pub(crate) mod filter;
pub(crate) mod functions;
pub(crate) mod grants;
pub(crate) mod isolation;
pub(crate) mod limits;
pub(crate) mod listener;
pub(crate) mod maps;
pub(crate) mod route;
pub(crate) mod site;
pub(crate) mod stores;
pub(crate) mod tcp;

pub(crate) use capsules::{CapsulesText, RecordingText};
pub(crate) use cluster::{ClusterText, EjectionText};
pub(crate) use code::CodeCacheText;
pub(crate) use failure::{FailureText, RecycleText};
pub(crate) use filter::{BuildText, FilterText, FilterUseText, ModuleText, VariableText};
pub(crate) use functions::{FunctionGrantsText, FunctionLimitsText, FunctionText, HostGrantText};
pub(crate) use grants::{
    FileGrantText, GrantsText, GuestPath, HeaderPattern, PropertyPattern, RedactionText, Seen,
    SeesText, ShowingText, TextPattern, Word,
};
pub(crate) use limits::LimitsText;
pub(crate) use listener::ListenerText;
pub(crate) use maps::{GrantedText, MapBudgetText, MapQuotaText, MapRateText, MapText, RightsText};
pub(crate) use route::{
    ForwardText, HeaderMatchText, MatchText, RespondText, RetriesText, RouteText,
};
pub(crate) use site::{Manager, NodeText, SiteText, TrustText};
pub(crate) use stores::{
    DurabilityWord, DurableText, MEMORY, MapStoreText, RedisText, RedisTlsText, RedisWord, SsdText,
    StoreText,
};
pub(crate) use tcp::TcpText;
