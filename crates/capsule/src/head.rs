//! Of whom a capsule is: what has to be the same for a replay to be the same, and why it was written.
//!
//! Fields are numbered, so that a version can get further ones: a reader passes over those that it
//! does not know.

use std::fmt;
use std::time::Duration;

use weir_guest::door::{ContextId, FailureKind};
use weir_guest::{EngineKind, ProgramOptions};
use weir_model::limits::capsule as limits;
use weir_model::{Dialect, GuestLimits, Strictness};

use crate::tape::Lost;

/// Of whom a capsule is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// Version of the gateway that recorded it.
    pub weir: String,
    /// When it was written: nanoseconds since the Unix epoch.
    pub written_at: u64,
    /// What ran.
    pub module: ModuleId,
    /// Name of the filter.
    pub filter: String,
    /// The root contexts of the VM, in the order in which they began.
    pub roots: Vec<RootHead>,
    /// Names the shared data and queues.
    pub vm_id: String,
    /// Bytes behind `proxy_on_vm_start`.
    pub vm_configuration: Vec<u8>,
    /// The word for what shared the VM.
    pub isolation: String,
    /// What ran the code.
    pub engine: EngineKind,
    /// Whose rules it ran under.
    pub dialect: Dialect,
    /// Whether imports that the host does not know were refused.
    pub strictness: Strictness,
    /// Functions and callbacks that it did not have.
    pub withheld: Vec<String>,
    /// Whether the world was told each host function.
    pub watches: bool,
    /// Whether it had files.
    pub has_files: bool,
    /// What it might use.
    pub limits: RunLimits,
    /// Why the capsule was written.
    pub trigger: Trigger,
    /// The stream, or the root, that it is about; 0: the VM itself.
    pub subject: ContextId,
    /// Where its records begin.
    pub start: Start,
    /// Headers whose values were replaced when it was written.
    pub masked: Vec<String>,
}

/// A module by its content.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ModuleId {
    /// In the configuration.
    pub name: String,
    /// SHA-256 of its bytes.
    pub sha256: [u8; 32],
}

/// A root context.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RootHead {
    /// Name of its filter.
    pub filter: String,
    /// Selects the plugin inside a module that holds several.
    pub root_id: String,
    /// Bytes behind `proxy_on_configure`.
    pub configuration: Vec<u8>,
}

/// The limits that a guest can notice by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RunLimits {
    /// As [`GuestLimits::memory_bytes`].
    pub memory_bytes: u64,
    /// As [`GuestLimits::memories`].
    pub memories: u32,
    /// As [`GuestLimits::tables`].
    pub tables: u32,
    /// As [`GuestLimits::table_elements`].
    pub table_elements: u64,
    /// As [`GuestLimits::call`].
    pub call: Duration,
    /// As [`GuestLimits::start`].
    pub start: Duration,
}

/// Why a capsule was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trigger {
    /// The guest failed, in these words.
    Failure(FailureKind, String),
    /// One of so many requests.
    Sample(u32),
    /// The request asked for it.
    Header,
    /// All are.
    Always,
}

/// Where the records of a capsule begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// At the start of the VM: a replay is exact, and can be made with another module.
    Beginning,
    /// At the start of the VM up to when it was configured, then at an image of the VM as it was
    /// later: a replay with the same module is exact.
    Image,
    /// Somewhere: the records can be looked at, not replayed.
    Lost(Lost),
}

impl From<&GuestLimits> for RunLimits {
    fn from(limits: &GuestLimits) -> Self {
        Self {
            memory_bytes: limits.memory_bytes,
            memories: limits.memories,
            tables: limits.tables,
            table_elements: limits.table_elements,
            call: limits.call,
            start: limits.start,
        }
    }
}

impl From<RunLimits> for GuestLimits {
    fn from(limits: RunLimits) -> Self {
        Self {
            memory_bytes: limits.memory_bytes,
            memories: limits.memories,
            tables: limits.tables,
            table_elements: limits.table_elements,
            call: limits.call,
            start: limits.start,
            ..Self::default()
        }
    }
}

impl Head {
    /// How a module has to be checked to become the program that ran.
    #[must_use]
    pub fn options(&self) -> ProgramOptions {
        ProgramOptions {
            strictness: self.strictness,
            dialect: self.dialect,
        }
    }

    /// What can differ when it is replayed although everything is the same, one sentence each.
    #[must_use]
    pub fn cautions(&self) -> Vec<&'static str> {
        let mut cautions = Vec::new();
        if let Trigger::Failure(kind, _) = &self.trigger
            && is_of_engine(*kind)
        {
            cautions.push(
                "the failure is the engine's: a replay is exact up to the last call before it",
            );
        }
        if !self.masked.is_empty() {
            cautions.push(
                "values were masked: a guest that looks into them, not only at whether they are \
                 the same, may do something else",
            );
        }
        cautions
    }
}

/// Whether a failure depends on the engine and the machine, not on what the guest was told.
#[must_use]
pub(crate) const fn is_of_engine(kind: FailureKind) -> bool {
    match kind {
        FailureKind::Deadline | FailureKind::Stack | FailureKind::Memory | FailureKind::Process => {
            true
        }
        FailureKind::Trap | FailureKind::Limit | FailureKind::Export | FailureKind::Start => false,
    }
}

impl fmt::Display for Trigger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failure(kind, cause) => write!(f, "{}: {cause}", kind.word()),
            Self::Sample(of) => write!(f, "one of {of} requests"),
            Self::Header => f.write_str("the request asked for it"),
            Self::Always => f.write_str("every request is recorded"),
        }
    }
}

impl fmt::Display for Start {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Beginning => f.write_str("the start of the VM"),
            Self::Image => f.write_str("an image of the VM, behind a record of its start"),
            Self::Lost(why) => write!(f, "unknown, so that it cannot be replayed: {why}"),
        }
    }
}

/// A head that means nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct BrokenHead(pub &'static str);

impl Head {
    /// Its bytes.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = Fields::default();
        out.text(1, &self.weir);
        out.put(2, &self.written_at.to_le_bytes());
        out.text(3, &self.module.name);
        out.put(4, &self.module.sha256);
        out.text(5, &self.filter);
        for root in &self.roots {
            out.parts(
                6,
                &[
                    root.filter.as_bytes(),
                    root.root_id.as_bytes(),
                    &root.configuration,
                ],
            );
        }
        out.text(7, &self.vm_id);
        out.put(8, &self.vm_configuration);
        out.text(9, &self.isolation);
        out.text(10, self.engine.name());
        out.text(11, dialect_word(self.dialect));
        out.text(12, strictness_word(self.strictness));
        for name in &self.withheld {
            out.text(13, name);
        }
        out.put(14, &[u8::from(self.watches), u8::from(self.has_files)]);
        out.put(15, &self.limits.encode());
        let subject = self.subject.to_le_bytes();
        match &self.trigger {
            Trigger::Failure(kind, cause) => {
                out.parts(
                    16,
                    &[
                        &subject,
                        b"failure",
                        kind.word().as_bytes(),
                        cause.as_bytes(),
                    ],
                );
            }
            Trigger::Sample(of) => out.parts(16, &[&subject, b"sample", &of.to_le_bytes()]),
            Trigger::Header => out.parts(16, &[&subject, b"header"]),
            Trigger::Always => out.parts(16, &[&subject, b"always"]),
        }
        match self.start {
            Start::Beginning => out.text(17, "beginning"),
            Start::Image => out.text(17, "image"),
            Start::Lost(why) => out.text(17, why.word()),
        }
        for name in &self.masked {
            out.text(18, name);
        }
        out.0
    }

    /// Reads a head.
    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, BrokenHead> {
        let mut draft = Draft::default();
        let mut rest = bytes;
        while let Some((number, content, behind)) = field(rest)? {
            rest = behind;
            draft.take(number, content)?;
        }
        draft.finish()
    }
}

/// Fields as they are written: number, length, bytes.
#[derive(Default)]
struct Fields(Vec<u8>);

impl Fields {
    fn put(&mut self, number: u16, content: &[u8]) {
        self.0.extend_from_slice(&number.to_le_bytes());
        sized(&mut self.0, content);
    }

    fn text(&mut self, number: u16, content: &str) {
        self.put(number, content.as_bytes());
    }

    /// Several things in one field, each behind its length.
    fn parts(&mut self, number: u16, parts: &[&[u8]]) {
        let mut content = Vec::new();
        for part in parts {
            sized(&mut content, part);
        }
        self.put(number, &content);
    }
}

/// Heads are far shorter than lengths can say: whoever writes one has checked it.
fn sized(out: &mut Vec<u8>, content: &[u8]) {
    let length = u32::try_from(content.len()).unwrap_or(u32::MAX);
    out.extend_from_slice(&length.to_le_bytes());
    out.extend_from_slice(content);
}

type Field<'b> = (u16, &'b [u8], &'b [u8]);

fn field(bytes: &[u8]) -> Result<Option<Field<'_>>, BrokenHead> {
    if bytes.is_empty() {
        return Ok(None);
    }
    let short = BrokenHead("the head ends too early");
    let (number, rest) = bytes.split_first_chunk::<2>().ok_or(short)?;
    let (content, rest) = part(rest)?;
    Ok(Some((u16::from_le_bytes(*number), content, rest)))
}

fn part(bytes: &[u8]) -> Result<(&[u8], &[u8]), BrokenHead> {
    let short = BrokenHead("the head ends too early");
    let (length, rest) = bytes.split_first_chunk::<4>().ok_or(short)?;
    rest.split_at_checked(u32::from_le_bytes(*length) as usize)
        .ok_or(short)
}

fn parts<const N: usize>(mut bytes: &[u8]) -> Result<[&[u8]; N], BrokenHead> {
    let mut parts = [&[][..]; N];
    for place in &mut parts {
        (*place, bytes) = part(bytes)?;
    }
    match bytes {
        [] => Ok(parts),
        _ => Err(BrokenHead("a field of the head is longer than it may be")),
    }
}

fn text(bytes: &[u8]) -> Result<String, BrokenHead> {
    let text = std::str::from_utf8(bytes);
    text.map(str::to_owned)
        .map_err(|_| BrokenHead("a text in the head is not UTF-8"))
}

fn fixed<const N: usize>(bytes: &[u8]) -> Result<[u8; N], BrokenHead> {
    let wrong = |_| BrokenHead("a number in the head has another length");
    bytes.try_into().map_err(wrong)
}

fn bounded<T>(list: &mut Vec<T>, item: T) -> Result<(), BrokenHead> {
    if list.len() >= limits::HEAD_ITEMS_MAX {
        return Err(BrokenHead("a list in the head is longer than any may be"));
    }
    list.push(item);
    Ok(())
}

fn dialect_word(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::Auto => "auto",
        Dialect::Envoy => "envoy",
        Dialect::Higress => "higress",
    }
}

fn strictness_word(strictness: Strictness) -> &'static str {
    match strictness {
        Strictness::Tolerant => "tolerant",
        Strictness::Strict => "strict",
    }
}

impl RunLimits {
    fn encode(&self) -> Vec<u8> {
        let nanoseconds = |time: Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        let mut out = Vec::new();
        out.extend_from_slice(&self.memory_bytes.to_le_bytes());
        out.extend_from_slice(&self.memories.to_le_bytes());
        out.extend_from_slice(&self.tables.to_le_bytes());
        out.extend_from_slice(&self.table_elements.to_le_bytes());
        out.extend_from_slice(&nanoseconds(self.call).to_le_bytes());
        out.extend_from_slice(&nanoseconds(self.start).to_le_bytes());
        out
    }

    fn decode(bytes: &[u8]) -> Result<Self, BrokenHead> {
        let bytes: [u8; 40] = fixed(bytes)?;
        let long = |at: usize| u64::from_le_bytes([0, 1, 2, 3, 4, 5, 6, 7].map(|n| bytes[at + n]));
        let short = |at: usize| u32::from_le_bytes([0, 1, 2, 3].map(|n| bytes[at + n]));
        Ok(Self {
            memory_bytes: long(0),
            memories: short(8),
            tables: short(12),
            table_elements: long(16),
            call: Duration::from_nanos(long(24)),
            start: Duration::from_nanos(long(32)),
        })
    }
}

/// A head that is being read.
#[derive(Default)]
struct Draft {
    weir: Option<String>,
    written_at: Option<u64>,
    module: ModuleId,
    has_identity: bool,
    filter: Option<String>,
    roots: Vec<RootHead>,
    vm_id: String,
    vm_configuration: Vec<u8>,
    isolation: String,
    engine: Option<EngineKind>,
    dialect: Option<Dialect>,
    strictness: Strictness,
    withheld: Vec<String>,
    watches: bool,
    has_files: bool,
    limits: Option<RunLimits>,
    trigger: Option<(ContextId, Trigger)>,
    start: Option<Start>,
    masked: Vec<String>,
}

impl Draft {
    fn take(&mut self, number: u16, content: &[u8]) -> Result<(), BrokenHead> {
        match number {
            1 => self.weir = Some(text(content)?),
            2 => self.written_at = Some(u64::from_le_bytes(fixed(content)?)),
            3 => self.module.name = text(content)?,
            4 => {
                self.module.sha256 = fixed(content)?;
                self.has_identity = true;
            }
            5 => self.filter = Some(text(content)?),
            6 => {
                let [filter, root_id, configuration] = parts(content)?;
                let root = RootHead {
                    filter: text(filter)?,
                    root_id: text(root_id)?,
                    configuration: configuration.to_vec(),
                };
                bounded(&mut self.roots, root)?;
            }
            7 => self.vm_id = text(content)?,
            8 => self.vm_configuration = content.to_vec(),
            9 => self.isolation = text(content)?,
            _ => return self.take_more(number, content),
        }
        Ok(())
    }

    fn take_more(&mut self, number: u16, content: &[u8]) -> Result<(), BrokenHead> {
        match number {
            10 => {
                let mut kinds = EngineKind::ALL.into_iter();
                let kind = kinds.find(|kind| kind.name().as_bytes() == content);
                self.engine = Some(kind.ok_or(BrokenHead("there is no such engine"))?);
            }
            11 => {
                let all = [Dialect::Auto, Dialect::Envoy, Dialect::Higress];
                let dialect = all
                    .into_iter()
                    .find(|one| dialect_word(*one).as_bytes() == content);
                self.dialect = Some(dialect.ok_or(BrokenHead("there is no such dialect"))?);
            }
            12 => {
                let all = [Strictness::Tolerant, Strictness::Strict];
                let mut found = all.into_iter();
                let found = found.find(|one| strictness_word(*one).as_bytes() == content);
                self.strictness = found.ok_or(BrokenHead("there is no such strictness"))?;
            }
            13 => bounded(&mut self.withheld, text(content)?)?,
            14 => {
                let flags: [u8; 2] = fixed(content)?;
                [self.watches, self.has_files] = flags.map(|flag| flag != 0);
            }
            15 => self.limits = Some(RunLimits::decode(content)?),
            16 => self.trigger = Some(trigger_of(content)?),
            17 => {
                self.start = Some(match content {
                    b"beginning" => Start::Beginning,
                    b"image" => Start::Image,
                    word => {
                        Start::Lost(Lost::of(word).ok_or(BrokenHead("there is no such beginning"))?)
                    }
                });
            }
            18 => bounded(&mut self.masked, text(content)?)?,
            // Of a later program.
            _ => {}
        }
        Ok(())
    }

    fn finish(self) -> Result<Head, BrokenHead> {
        let missing = BrokenHead("the head lacks a field");
        if !self.has_identity {
            return Err(missing);
        }
        let (subject, trigger) = self.trigger.ok_or(missing)?;
        Ok(Head {
            weir: self.weir.ok_or(missing)?,
            written_at: self.written_at.ok_or(missing)?,
            module: self.module,
            filter: self.filter.ok_or(missing)?,
            roots: self.roots,
            vm_id: self.vm_id,
            vm_configuration: self.vm_configuration,
            isolation: self.isolation,
            engine: self.engine.ok_or(missing)?,
            dialect: self.dialect.ok_or(missing)?,
            strictness: self.strictness,
            withheld: self.withheld,
            watches: self.watches,
            has_files: self.has_files,
            limits: self.limits.ok_or(missing)?,
            trigger,
            subject,
            start: self.start.ok_or(missing)?,
            masked: self.masked,
        })
    }
}

fn trigger_of(content: &[u8]) -> Result<(ContextId, Trigger), BrokenHead> {
    let (subject, rest) = part(content)?;
    let subject = u32::from_le_bytes(fixed(subject)?);
    let (word, rest) = part(rest)?;
    let trigger = match word {
        b"failure" => {
            let [kind, cause] = parts(rest)?;
            let mut kinds = FailureKind::ALL.into_iter();
            let kind = kinds.find(|one| one.word().as_bytes() == kind);
            let kind = kind.ok_or(BrokenHead("there is no such failure"))?;
            Trigger::Failure(kind, text(cause)?)
        }
        b"sample" => {
            let [of] = parts(rest)?;
            Trigger::Sample(u32::from_le_bytes(fixed(of)?))
        }
        b"header" => Trigger::Header,
        b"always" => Trigger::Always,
        _ => return Err(BrokenHead("there is no such reason for a capsule")),
    };
    Ok((subject, trigger))
}
