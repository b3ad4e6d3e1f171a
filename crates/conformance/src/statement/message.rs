//! Messages as the kit observed them.

/// A response as it was observed.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Message {
    /// 0: the connection ended before a head was whole.
    pub(crate) status: u16,
    pub(crate) interim: Vec<u16>,
    pub(crate) head: String,
    pub(crate) body: String,
    pub(crate) length: usize,
    pub(crate) trailers: String,
    /// The connection ended within.
    pub(crate) was_cut: bool,
    /// Nothing more came, and the connection is still open.
    pub(crate) is_late: bool,
}

/// A request as a server observed it.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Seen {
    /// Which of the servers behind the cluster.
    pub(crate) server: usize,
    pub(crate) head: String,
    pub(crate) body: String,
    pub(crate) length: usize,
    pub(crate) trailers: String,
    pub(crate) is_whole: bool,
    pub(crate) broke_off: bool,
    /// gRPC messages.
    pub(crate) messages: Vec<String>,
    /// The code with which the other side reset the stream.
    pub(crate) reset: Option<String>,
}

impl Seen {
    /// A word of the first line.
    pub(super) fn word(&self, index: usize) -> &str {
        let line = self.head.lines().next().unwrap_or_default();
        line.split(' ').nth(index).unwrap_or_default()
    }
}

/// Values of a header in the text of a head.
pub(crate) fn fields<'t>(head: &'t str, name: &str) -> Vec<&'t str> {
    head.lines()
        .filter_map(|line| {
            // Pseudo headers begin with a colon.
            let at = line.get(1..)?.find(':')? + 1;
            Some((&line[..at], &line[at + 1..]))
        })
        .filter(|(known, _)| known.eq_ignore_ascii_case(name))
        .map(|(_, value)| value.trim())
        .collect()
}
