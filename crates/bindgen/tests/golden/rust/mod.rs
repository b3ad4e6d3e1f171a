// Written by `weir bindgen`; do not edit.
pub mod users;
pub mod weir_map;
