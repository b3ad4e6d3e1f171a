//! What a use of a module is granted, and what it sees.

use serde_json::{Value, json};
use weir_model::{GrantMode, Pattern, limits};

use crate::file::{GrantedText, MapBudgetText, MapQuotaText, MapRateText, VariableText};
use crate::shape::basic::{List, choices};
use crate::shape::named::{Clusters, Maps, PairKey, Pairs, Referred};
use crate::shape::quantity::{Count, Time};
use crate::shape::section::section;
use crate::shape::text::{FilePath, Grammar, NameText, Text};
use crate::shape::{Catalog, Placed, Reader, Shape, Sort};
use crate::yaml::{self, Node};

section! {
    /// What a filter may reach with the functions that it may call.
    struct GrantsText = "grants" {
        /// Whether what is not granted is refused, or allowed and recorded: then the admin address
        /// shows at `/plugins/NAME/touched` all that the filter touched. It holds for
        /// `capabilities`, too.
        mode: GrantMode = GrantMode::default();
        /// Clusters for HTTP callouts, gRPC, Redis, and for TCP connections that the filter sends
        /// elsewhere. Left out: all.
        clusters: Option<List<Referred<Clusters>, 0, 1024>> = None;
        /// `vm_id`s beside its own whose shared queues it may use. Left out: all.
        vm_ids: Option<List<Text, 0, 1024>> = None;
        /// Foreign functions that it may call. Left out: all.
        foreign_functions: Option<List<Text, 0, 1024>> = None;
        /// Folders that it sees through WASI. Left out: none.
        files: List<FileGrantText, 0, { limits::GUEST_FOLDERS_MAX }> = List(Vec::new());
        /// Maps that it may open, and what it may do there. Left out: none; a map that it makes
        /// itself needs no grant.
        maps: Pairs<Referred<Maps>, GrantedText> = Pairs(Vec::new());
        /// The granted map that `wasi_map_open` of the interface's first draft opens.
        default_map: Option<Placed<NameText>> = None;
        /// What the maps that it makes itself may hold.
        map_quota: Option<MapQuotaText> = None;
        /// What it may do with maps in a second. Left out: as much as it can.
        map_rate: Option<MapRateText> = None;
        /// What it may do with maps in one request. Left out: as much as it can.
        map_budget: Option<MapBudgetText> = None;
        /// How finely it sees time.
        clock: Option<ClockText> = None;
        /// Whether it gets random bytes. The start of Go and Rust plugins may need them.
        random: bool = true;
        /// Headers that it may not write; `x-internal-*` stands for all that begin so. Headers of
        /// the connection (`connection`, `proxy-connection`, `te`, `trailer`,
        /// `transfer-encoding`, `upgrade`) are protected always.
        protected_headers: List<HeaderPattern, 0, 1024> = List(Vec::new());
        /// Headers that it may write although they are protected, or it does not see them as they
        /// are.
        write_headers: List<HeaderPattern, 0, 1024> = List(Vec::new());
    }
}

section! {
    /// A folder that a plugin sees.
    struct FileGrantText = "folder" {
        /// The folder; a relative path starts at the folder of the configuration file.
        host: Placed<FilePath>;
        /// Its path as the plugin sees it, such as `/data`.
        guest: GuestPath;
        /// Whether the plugin may write files and make new ones.
        write: bool = false;
    }
}

section! {
    /// How finely a plugin sees time.
    struct ClockText = "clock" {
        /// Clocks move in steps of this. So do times and durations among the properties.
        resolution: Time<1, 60000>;
    }
}

section! {
    /// What a filter sees of requests and responses. In each mapping the first name that fits
    /// counts; `x-internal-*` stands for all that begin so, `*` for all.
    struct SeesText = "sees" {
        /// Request headers and trailers, in header maps and in properties such as
        /// `request.headers`, `request.path` and `request.host`.
        request_headers: Pairs<HeaderPattern, ShowingText> = Pairs(Vec::new());
        /// Response headers and trailers, in the same way.
        response_headers: Pairs<HeaderPattern, ShowingText> = Pairs(Vec::new());
        /// Parameters in the query of the request's path.
        query: Pairs<TextPattern, ShowingText> = Pairs(Vec::new());
        /// Properties by their path with dots, such as `source.address`.
        properties: Pairs<PropertyPattern, ShowingText> = Pairs(Vec::new());
        /// The body of requests, and what TCP clients send: shown, or hidden with its callbacks.
        request_body: Seen = Seen::default();
        /// The body of responses, and what TCP upstreams send.
        response_body: Seen = Seen::default();
        /// Key of the hashes: a text, or `{ from: NAME }` for a variable of the gateway's own.
        /// Left out: a random one, another in each start of the gateway.
        hash_key: Option<Placed<VariableText>> = None;
    }
}

section! {
    /// How a value is shown in part.
    struct RedactionText = "redaction" {
        /// A text in its place.
        text: Option<Text> = None;
        /// Bytes shown of its beginning.
        first: Count<0, 65536> = Count(0);
        /// Bytes shown of its end.
        last: Count<0, 65536> = Count(0);
    }
    at_most_one ["text", "first"]
    at_most_one ["text", "last"]
}

/// How a value is shown: a word, or a redaction.
#[derive(Clone, Debug)]
pub(crate) enum ShowingText {
    Word(Word),
    Redacted(RedactionText),
}

/// The words for how a value is shown.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Word {
    Show,
    Hide,
    Hash,
    Redact,
}

/// Whether a body is shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Seen {
    #[default]
    Shown,
    Hidden,
}

/// A header's name, or the beginning of names. Pseudo-headers have theirs with a colon.
#[derive(Clone, Debug)]
pub(crate) struct HeaderPattern(pub(crate) Pattern);

/// A name, or the beginning of names.
#[derive(Clone, Debug)]
pub(crate) struct TextPattern(pub(crate) Pattern);

/// A path of a property, or the beginning of paths.
#[derive(Clone, Debug)]
pub(crate) struct PropertyPattern(pub(crate) Pattern);

/// An absolute path inside a guest.
#[derive(Clone, Debug)]
pub(crate) struct GuestPath(pub(crate) String);

choices! {
    GrantMode: "grant mode" { "enforce" => Self::Enforce, "dry_run" => Self::DryRun }
}

choices! {
    Word: "rule" {
        "show" => Self::Show,
        "hide" => Self::Hide,
        "hash" => Self::Hash,
        "redact" => Self::Redact,
    }
}

choices! {
    Seen: "rule" { "show" => Self::Shown, "hide" => Self::Hidden }
}

impl Shape for ShowingText {
    fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        match &node.value {
            yaml::Value::Mapping(_) => RedactionText::read(node, reader).map(Self::Redacted),
            yaml::Value::Scalar(_) | yaml::Value::Sequence(_) => {
                Word::read(node, reader).map(Self::Word)
            }
        }
    }

    fn sort(catalog: &mut Catalog) -> Sort {
        let (word, redacted) = (Word::sort(catalog), RedactionText::sort(catalog));
        let text = format!("{} or {}", word.text, redacted.text);
        let schema = json!({ "anyOf": [word.schema, redacted.schema] });
        redacted.wrapped(text, schema)
    }
}

/// What begins with a pattern that is made of headers is ruled where headers are.
const OF_HEADERS: [(&str, &str); 12] = [
    ("request.headers", "request_headers"),
    ("request.path", "request_headers (\":path\") or query"),
    ("request.url_path", "request_headers (\":path\")"),
    ("request.query", "query"),
    ("request.host", "request_headers (\":authority\")"),
    ("request.scheme", "request_headers (\":scheme\")"),
    ("request.method", "request_headers (\":method\")"),
    ("request.referer", "request_headers (\"referer\")"),
    ("request.useragent", "request_headers (\"user-agent\")"),
    ("request.id", "request_headers (\"x-request-id\")"),
    ("response.headers", "response_headers"),
    ("response.trailers", "response_headers"),
];

/// The key of `sees:` under which a property's rule belongs, if it is made of a header.
pub(crate) fn section_of_property(pattern: &Pattern) -> Option<&'static str> {
    let text = pattern.text();
    let is_below = |name: &str| {
        text.strip_prefix(name)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    };
    OF_HEADERS
        .iter()
        .find(|(name, _)| is_below(name))
        .map(|(_, section)| *section)
}

impl Grammar for HeaderPattern {
    const TITLE: &'static str = "header name";
    const PATTERN: &'static str = "^:?[!#$%&'*+.^_`|~0-9A-Za-z-]+$";
    const EXPECTED: &'static str = "a header name such as authorization, :path or x-internal-*";

    fn parse(text: &str) -> Result<Self, Option<String>> {
        let is_tchar = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
        let name = text.strip_prefix(':').unwrap_or(text);
        if !name.is_empty() && name.bytes().all(is_tchar) {
            return Ok(Self(Pattern::of(&text.to_ascii_lowercase())));
        }
        let trimmed = name.trim().trim_end_matches(':').replace(' ', "-");
        let is_name = !trimmed.is_empty() && trimmed.bytes().all(is_tchar);
        Err(is_name.then_some(trimmed))
    }

    fn written(&self) -> String {
        self.0.text()
    }
}

impl Grammar for TextPattern {
    const TITLE: &'static str = "name";
    const PATTERN: &'static str = "^[^\\x00]+$";
    const EXPECTED: &'static str = "a name, or the beginning of names with a * behind it";

    fn parse(text: &str) -> Result<Self, Option<String>> {
        if text.is_empty() || text.contains('\0') {
            return Err(None);
        }
        Ok(Self(Pattern::of(text)))
    }

    fn written(&self) -> String {
        self.0.text()
    }
}

impl Grammar for PropertyPattern {
    const TITLE: &'static str = "property path";
    const PATTERN: &'static str = "^[^\\x00]+$";
    const EXPECTED: &'static str = "a path with dots such as source.address or node.metadata.*";

    fn parse(text: &str) -> Result<Self, Option<String>> {
        TextPattern::parse(text).map(|TextPattern(pattern)| Self(pattern))
    }

    fn written(&self) -> String {
        self.0.text()
    }
}

impl Grammar for GuestPath {
    const TITLE: &'static str = "path";
    const PATTERN: &'static str = "^/[^\\x00]*$";
    const EXPECTED: &'static str = "an absolute path such as /data";

    fn parse(text: &str) -> Result<Self, Option<String>> {
        if text.starts_with('/') && !text.contains('\0') {
            return Ok(Self(text.to_owned()));
        }
        let meant = text.trim_start_matches("./");
        Err((!meant.is_empty() && !meant.contains('\0')).then(|| format!("/{meant}")))
    }

    fn written(&self) -> String {
        self.0.clone()
    }
}

macro_rules! pattern_keys {
    ($($type:ty),+) => { $(
        impl PairKey for $type {
            type Grammar = Self;

            fn made(value: Self, _: crate::problem::Span, _: &mut Reader<'_>) -> Self {
                value
            }
        }
    )+ };
}
pattern_keys!(HeaderPattern, TextPattern);

impl PairKey for PropertyPattern {
    type Grammar = Self;

    fn made(value: Self, at: crate::problem::Span, reader: &mut Reader<'_>) -> Self {
        if let Some(section) = section_of_property(&value.0) {
            let what = format!("the property \"{}\" is made of headers", value.0.text());
            let expected = format!("a rule under {section}");
            let found = value.0.text();
            reader.refuse(at, crate::problem::Refusal::new(what, &found, expected));
        }
        value
    }
}

macro_rules! text_shapes {
    ($($type:ty),+) => { $(
        impl Shape for $type {
            fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
                crate::shape::text::read_text::<Self>(node, reader)
            }

            fn sort(_: &mut Catalog) -> Sort {
                Sort::pattern(Self::TITLE, Self::PATTERN)
            }

            fn show(&self) -> Value {
                json!(self.written())
            }
        }
    )+ };
}
text_shapes!(HeaderPattern, GuestPath);
