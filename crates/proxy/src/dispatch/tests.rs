//! Dispatching against scripted upstreams on real sockets.

mod bodies;
mod callouts;
mod fixture;
mod http2;
mod pools;
mod tries;
mod wanted;
