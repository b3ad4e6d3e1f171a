//! Limits of `weir dev`.

use std::time::Duration;

/// Between two looks at the sources: soon for a person, little work for the machine.
pub const LOOK_INTERVAL: Duration = Duration::from_millis(200);
/// Sources have to stay as they are for this long before they are built: editors and version control
/// write many files in a row.
pub const SETTLE_TIME: Duration = Duration::from_millis(100);
/// Files and folders that are looked at; more are no sources of one project, and looking takes long.
pub const SOURCES_MAX: usize = 20_000;
/// Folders in each other below a watched one: more is a circle of links.
pub const SOURCE_DEPTH_MAX: usize = 32;
