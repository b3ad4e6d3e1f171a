//! What is heard from a host while it runs: log lines of filters, the access log, other words.

use std::sync::{Arc, Mutex, MutexGuard};

use serde_json::{Map, Value as Json};

use crate::wire::locked;

/// Most lines that are kept of anything.
const LINES_MAX: usize = 100_000;

/// Everything heard so far.
#[derive(Clone, Debug, Default)]
pub(crate) struct Heard {
    /// Lines by filter.
    pub(crate) lines: Vec<Vec<String>>,
    /// Lines by filter from where no traffic goes, which count only if nothing else is heard.
    pub(crate) rehearsal: Vec<Vec<String>>,
    pub(crate) access: Vec<Map<String, Json>>,
    /// What the host itself said.
    pub(crate) other: Vec<String>,
}

/// To whom a line belongs.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Whose {
    /// The filter at an index.
    Filter(usize),
    /// The same, from where no traffic goes.
    Rehearsal(usize),
    /// The host.
    Other,
}

/// Listens; cheap to clone.
#[derive(Clone)]
pub(crate) struct Ear(Arc<Mutex<Heard>>);

impl Ear {
    pub(crate) fn new(filters: usize) -> Self {
        let heard = Heard {
            lines: vec![Vec::new(); filters],
            rehearsal: vec![Vec::new(); filters],
            ..Heard::default()
        };
        Self(Arc::new(Mutex::new(heard)))
    }

    pub(crate) fn heard(&self) -> MutexGuard<'_, Heard> {
        locked(&self.0)
    }

    /// A line. Those of filters begin with their level, unless it is info.
    pub(crate) fn line(&self, whose: Whose, level: &str, text: &str) {
        let text = match (whose, level) {
            (Whose::Other, _) | (_, "info") => text.to_owned(),
            _ => format!("[{level}] {text}"),
        };
        push(self.heard().at(whose), text);
    }

    /// A further line of the text that came last.
    pub(crate) fn amend(&self, whose: Whose, text: &str) {
        let mut heard = self.heard();
        match heard.at(whose).and_then(|lines| lines.last_mut()) {
            Some(last) => last.extend(["\n", text]),
            None => push(Some(&mut heard.other), text.to_owned()),
        }
    }

    pub(crate) fn access(&self, line: Map<String, Json>) {
        push(Some(&mut self.heard().access), line);
    }

    pub(crate) fn other(&self, text: &str) {
        self.line(Whose::Other, "info", text);
    }
}

impl Heard {
    fn at(&mut self, whose: Whose) -> Option<&mut Vec<String>> {
        match whose {
            Whose::Filter(index) => self.lines.get_mut(index),
            Whose::Rehearsal(index) => self.rehearsal.get_mut(index),
            Whose::Other => Some(&mut self.other),
        }
    }

    /// What was heard where the start was refused: there is nothing but the rehearsal.
    pub(crate) fn refused(mut self) -> Self {
        for (lines, rehearsal) in self.lines.iter_mut().zip(&mut self.rehearsal) {
            if lines.is_empty() {
                std::mem::swap(lines, rehearsal);
            }
        }
        self
    }
}

fn push<T>(list: Option<&mut Vec<T>>, item: T) {
    if let Some(list) = list.filter(|list| list.len() < LINES_MAX) {
        list.push(item);
    }
}
