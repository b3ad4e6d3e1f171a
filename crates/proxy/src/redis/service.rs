//! The name by which a plugin calls a Redis: `cluster?db=N&…`.

/// A cluster and what is wanted of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Service<'n> {
    pub(crate) cluster: &'n str,
    /// `None`: the name does not say.
    pub(crate) database: Option<u32>,
}

impl<'n> Service<'n> {
    /// Reads a name. How long Higress gathers commands before it writes them
    /// (`buffer_flush_timeout`, `max_buffer_size_before_flush`) means nothing here: they are written
    /// as soon as the guest returns, together. What cannot be read counts as not said.
    pub(crate) fn of(name: &'n [u8]) -> Option<Self> {
        let name = std::str::from_utf8(name).ok()?;
        let (cluster, options) = name.split_once('?').unwrap_or((name, ""));
        let database = options
            .split('&')
            .filter_map(|option| option.strip_prefix("db="))
            .find_map(|number| number.parse().ok());
        Some(Self { cluster, database })
    }
}
