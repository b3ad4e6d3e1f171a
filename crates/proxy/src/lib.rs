//! Carries exchanges from listener to upstream and back; it is the live World of the guests.
//!
//! Read in this order: [`gateway`] prepares and starts, `worker` and `listen` bring requests in,
//! `exchange` is the life of one request and `tcp` of one carried connection, `flow` decides what a
//! request's filters see, `world` answers what they ask, `dispatch` and `upstream` send it on, [`function`]
//! has a function answer it, `ledger` writes it down.

pub mod capsules;
pub mod code;
pub mod foreign;
pub mod function;
pub mod gateway;
pub mod maps;
pub mod metrics;
pub mod plugin;
pub mod property;
pub mod touched;
pub mod worker;

mod dispatch;
mod exchange;
mod flow;
mod grpc;
mod ledger;
mod listen;
mod message;
mod protobuf;
mod redis;
mod route;
mod stream;
mod tcp;
mod upstream;
mod world;

pub use gateway::{PrepareError, Prepared, Process};
