//! Typed maps from outside: declarations, schemas, values.
#![allow(missing_docs, clippy::unwrap_used, reason = "tests")]

mod declarations;
mod foreign;
mod generated;
mod programs;
mod schemas;
mod sections;
mod support;
mod typed;
mod values;
