// Written by `weir bindgen`; do not edit.
pub mod values;
pub mod weir_map;
