//! Dispatching against scripted upstreams on real sockets.

mod bodies;
mod callouts;
mod fixture;
mod pools;
mod tries;
