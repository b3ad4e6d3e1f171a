//! The lines that a child process writes.

use std::io::{BufRead, BufReader, Read};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread;

use super::LONG;

/// Lines so far, filled by a thread of its own.
pub(super) struct Lines(Arc<Shared>);

#[derive(Default)]
struct Shared {
    lines: Mutex<Gathered>,
    changed: Condvar,
}

#[derive(Default)]
struct Gathered {
    lines: Vec<String>,
    is_over: bool,
}

impl Lines {
    pub(super) fn of(pipe: impl Read + Send + 'static) -> Self {
        let shared = Arc::<Shared>::default();
        let filled = Arc::clone(&shared);
        thread::spawn(move || {
            for line in BufReader::new(pipe).lines().map_while(Result::ok) {
                filled.lock().lines.push(line);
                filled.changed.notify_all();
            }
            filled.lock().is_over = true;
            filled.changed.notify_all();
        });
        Self(shared)
    }

    /// The first line with this text in it.
    #[track_caller]
    pub(super) fn wait_for(&self, part: &str) -> String {
        let find = |read: &Gathered| read.lines.iter().find(|line| line.contains(part)).cloned();
        let (read, _) = self
            .0
            .changed
            .wait_timeout_while(self.0.lock(), LONG, |read| {
                find(read).is_none() && !read.is_over
            })
            .expect("no reader panics");
        let found = find(&read);
        let lines = read.lines.join("\n");
        drop(read);
        found.unwrap_or_else(|| panic!("no line with {part:?} in\n{lines}"))
    }

    pub(super) fn text(&self) -> String {
        self.0.lock().lines.join("\n")
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Gathered> {
        self.lines.lock().expect("no reader panics")
    }
}
