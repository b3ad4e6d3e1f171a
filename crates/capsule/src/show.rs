//! A capsule as text for people.

use std::fmt;

use weir_guest::door::Reply;

use crate::head::Head;
use crate::record::{Outcome, Record};
use crate::replay::hex;

/// Bytes of one argument or reply that a listing shows.
const SHOWN_BYTES: usize = 160;

/// A head, one line for each thing.
pub struct ShownHead<'h>(pub &'h Head);

impl fmt::Display for ShownHead<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let head = self.0;
        writeln!(f, "filter     {}", head.filter)?;
        let sha256 = hex(&head.module.sha256);
        writeln!(f, "module     {} (sha256 {sha256})", head.module.name)?;
        writeln!(f, "reason     {}", head.trigger)?;
        writeln!(f, "begins at  {}", head.start)?;
        let subject = head.subject;
        writeln!(f, "isolation  {}; context {subject}", head.isolation)?;
        let (engine, weir) = (head.engine.name(), &head.weir);
        writeln!(f, "ran on     {engine}, in weir {weir}")?;
        for root in &head.roots {
            let (filter, configuration) = (&root.filter, short(&root.configuration));
            writeln!(f, "root       {filter} {:?} {configuration}", root.root_id)?;
        }
        if !head.withheld.is_empty() {
            writeln!(f, "withheld   {}", head.withheld.join(", "))?;
        }
        if !head.masked.is_empty() {
            writeln!(f, "masked     {}", head.masked.join(", "))?;
        }
        for caution in head.cautions() {
            writeln!(f, "note       {caution}")?;
        }
        Ok(())
    }
}

/// A record as one line; calls stand behind the event that they belong to.
pub struct ShownRecord<'r>(pub &'r Record);

impl fmt::Display for ShownRecord<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Record::Event(event) => {
                write!(f, "{}", event.callback())?;
                let mut numbers = event.parameters().into_iter();
                numbers.try_for_each(|number| write!(f, " {number}"))
            }
            Record::Call { asked, outcome } => {
                write!(f, "  {} -> ", cut(&asked.text()))?;
                match outcome {
                    Outcome::Reply(reply) => write_reply(f, reply),
                    Outcome::Stopped(why) => write!(f, "stopped: {why}"),
                    Outcome::Waiting => f.write_str("no answer yet"),
                    Outcome::Unrecorded => f.write_str("(not recorded)"),
                }
            }
            Record::Result(result) => write!(f, "  = {result}"),
            Record::Failed { kind, cause, place } => {
                write!(f, "  failed ({}): {cause}{place}", kind.word())
            }
            Record::Exceeded(what) => write!(f, "  memory refused: {what}"),
        }
    }
}

fn write_reply(f: &mut fmt::Formatter<'_>, reply: &Reply) -> fmt::Result {
    match reply {
        Reply::Done => f.write_str("done"),
        Reply::Refused(status) => write!(f, "refused: {status:?}"),
        Reply::Bytes(bytes) => f.write_str(&short(bytes)),
        Reply::Number(number) => write!(f, "{number}"),
        Reply::Entry(bytes, cas) => write!(f, "{} (cas {cas})", short(bytes)),
        Reply::Outcome(status, bytes) => write!(f, "{status} {}", short(bytes)),
        Reply::Map(reply) => f.write_str(&cut(&format!("{reply:?}"))),
    }
}

fn short(bytes: &[u8]) -> String {
    let shown = &bytes[..bytes.len().min(SHOWN_BYTES)];
    let text = format!("\"{}\"", shown.escape_ascii());
    match bytes.len() - shown.len() {
        0 => text,
        more => format!("{text}… and {more} bytes"),
    }
}

fn cut(text: &str) -> String {
    let shown = &text[..text.floor_char_boundary(2 * SHOWN_BYTES)];
    match text.len() - shown.len() {
        0 => text.to_owned(),
        more => format!("{shown}… and {more} bytes"),
    }
}
