//! Gathers the log lines of guests, by the name of their filter.

use std::collections::HashMap;
use std::fmt::Debug;
use std::sync::{Arc, LazyLock, Mutex};

use tracing::field::{Field, Visit};
use tracing::{Event, Level, Metadata, Subscriber, level_filters::LevelFilter, span};

use crate::upstream::locked;

/// The lines of one filter.
pub(crate) type Lines = Arc<Mutex<Vec<String>>>;

static LINES: LazyLock<Mutex<HashMap<String, Lines>>> = LazyLock::new(|| {
    tracing::subscriber::set_global_default(Capture).expect("no other subscriber");
    Mutex::default()
});

/// The lines of a filter, from now on.
pub(crate) fn lines_of(filter: &str) -> Lines {
    Arc::clone(locked(&LINES).entry(filter.to_owned()).or_default())
}

struct Capture;

#[derive(Default)]
struct Line {
    plugin: String,
    message: String,
}

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        match field.name() {
            "plugin" => self.plugin = format!("{value:?}"),
            "message" => self.message = format!("{value:?}"),
            _ => {}
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "plugin" => value.clone_into(&mut self.plugin),
            "message" => value.clone_into(&mut self.message),
            _ => {}
        }
    }
}

impl Subscriber for Capture {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == "wasm" && *metadata.level() <= Level::INFO
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(LevelFilter::INFO)
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut line = Line::default();
        event.record(&mut line);
        let lines = lines_of(&line.plugin);
        locked(&lines).push(as_written(&line.message));
    }

    fn enter(&self, _: &span::Id) {}

    fn exit(&self, _: &span::Id) {}
}

/// The guest's own text: the gateway escapes control characters before it logs them.
fn as_written(line: &str) -> String {
    let mut parts = line.split('\\');
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let code = part
            .strip_prefix("u{")
            .and_then(|rest| rest.split_once('}'));
        let escaped = code.and_then(|(code, rest)| {
            let code = u32::from_str_radix(code, 16).ok()?;
            Some((char::from_u32(code)?, rest))
        });
        match (escaped, part.chars().next()) {
            (Some((character, rest)), _) => {
                text.push(character);
                text.push_str(rest);
            }
            (None, Some('n')) => text.extend(["\n", &part[1..]]),
            (None, Some('r')) => text.extend(["\r", &part[1..]]),
            (None, _) => text.extend(["\\", part]),
        }
    }
    text
}
