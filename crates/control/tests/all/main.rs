//! The configuration file from outside: valid files, mistakes, descriptions, noise.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod descriptions;
mod functions;
mod grants;
mod mistakes;
mod noise;
mod schema_check;
mod stores;
mod valid;
