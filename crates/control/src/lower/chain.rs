//! Chains of filters.

use bytes::Bytes;
use weir_model::FilterUse;

use crate::file::FilterUseText;
use crate::shape::payload::Payload;

pub(super) fn lowered_uses(uses: Vec<FilterUseText>) -> Vec<FilterUse> {
    let lowered = |filter_use: FilterUseText| FilterUse {
        filter: filter_use.r#use.name,
        configuration: lowered_bytes(filter_use.configuration),
    };
    uses.into_iter().map(lowered).collect()
}

pub(super) fn lowered_bytes(payload: Payload) -> Option<Bytes> {
    payload.0
}
