//! Plays steps for one context.

use std::rc::Rc;

use proxy_wasm::hostcalls;
use proxy_wasm::types::{Action, BufferType};

use serde::de::IgnoredAny;

use crate::script::{Entries, If, Phase, Script, Step};

/// One context and what it knows.
pub struct Player {
    pub id: u32,
    pub script: Rc<Script>,
    /// The body buffer of the running callback.
    pub body: Option<BufferType>,
    /// What `{name}` stands for.
    vars: Vec<(String, String)>,
    /// Callouts without an answer.
    pub open_calls: u32,
    verdict: Verdict,
}

/// What the running callback will answer.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Continue,
    Pause,
    Refuse,
}

/// Whether the next step is played.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Flow {
    On,
    Over,
}

impl Player {
    /// A context that has seen nothing yet.
    pub fn new(id: u32, script: Rc<Script>) -> Self {
        let vars = Vec::new();
        Self {
            id,
            script,
            body: None,
            vars,
            open_calls: 0,
            verdict: Verdict::Continue,
        }
    }

    /// Lets `{name}` stand for `value`.
    pub fn learn(&mut self, name: &str, value: &impl ToString) {
        let value = value.to_string();
        match self.vars.iter_mut().find(|(known, _)| known == name) {
            Some((_, slot)) => *slot = value,
            None => self.vars.push((name.to_owned(), value)),
        }
    }

    /// What `{name}` stands for.
    pub fn known(&self, name: &str) -> Option<&str> {
        self.vars
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.as_str())
    }

    /// Plays a callback that says nothing more.
    pub fn play(&mut self, phase: Phase) -> Action {
        let script = Rc::clone(&self.script);
        match self.verdict_of(&script, phase) {
            Verdict::Pause => Action::Pause,
            Verdict::Continue | Verdict::Refuse => Action::Continue,
        }
    }

    /// Plays a callback about headers or trailers.
    pub fn play_headers(&mut self, phase: Phase, count: usize, end: bool) -> Action {
        self.learn("count", &count);
        self.learn("end", &end);
        self.play(phase)
    }

    /// Plays a callback about a body.
    pub fn play_body(&mut self, phase: Phase, size: usize, end: bool) -> Action {
        self.learn("size", &size);
        self.learn("end", &end);
        self.play(phase)
    }

    /// Plays the start of a VM or a plugin; false: it refuses to start.
    pub fn play_start(&mut self, script: &Script, phase: Phase) -> bool {
        self.verdict_of(script, phase) != Verdict::Refuse
    }

    /// Plays the end of the context; false: not yet.
    pub fn play_done(&mut self) -> bool {
        self.play(Phase::Done) == Action::Continue
    }

    /// Plays the answer to an HTTP callout. No headers: it failed.
    pub fn play_call_response(&mut self, token: u32, headers: usize, body: usize, trailers: usize) {
        self.open_calls = self.open_calls.saturating_sub(1);
        self.learn("token", &token);
        self.learn("count", &headers);
        self.learn("size", &body);
        self.learn("trailers", &trailers);
        self.play(Phase::CallResponse);
    }

    /// Plays the answer to a gRPC callout.
    pub fn play_grpc_response(&mut self, token: u32, status: u32, size: usize) {
        self.open_calls = self.open_calls.saturating_sub(1);
        self.learn("token", &token);
        self.learn("grpc_status", &status);
        self.learn("size", &size);
        self.play(Phase::GrpcResponse);
    }

    /// Plays once for every item of the queue, which is `{item}`.
    pub fn play_queue(&mut self, queue: u32) {
        self.learn("queue", &queue);
        while let Ok(Some(item)) = hostcalls::dequeue_shared_queue(queue) {
            self.learn("item", &String::from_utf8_lossy(&item));
            self.play(Phase::Queue);
        }
    }

    fn verdict_of(&mut self, script: &Script, phase: Phase) -> Verdict {
        self.body = match phase {
            Phase::RequestBody => Some(BufferType::HttpRequestBody),
            Phase::ResponseBody => Some(BufferType::HttpResponseBody),
            _ => None,
        };
        self.verdict = Verdict::Continue;
        self.run(script.steps(phase));
        self.verdict
    }

    fn run(&mut self, steps: &[Step]) -> Flow {
        for step in steps {
            if self.step(step) == Flow::Over {
                return Flow::Over;
            }
        }
        Flow::On
    }

    fn step(&mut self, step: &Step) -> Flow {
        match step {
            Step::Stop => return Flow::Over,
            Step::Pause | Step::DeferDone => self.verdict = Verdict::Pause,
            Step::Refuse => {
                self.verdict = Verdict::Refuse;
                return Flow::Over;
            }
            Step::AwaitEnd => {
                if self.known("end") != Some("true") {
                    self.verdict = Verdict::Pause;
                    return Flow::Over;
                }
            }
            Step::Postpone => {
                crate::acts::postpone(self.id);
                self.verdict = Verdict::Pause;
            }
            Step::If(question) => {
                let holds = self.holds(question);
                return self.run(if holds {
                    &question.then
                } else {
                    &question.otherwise
                });
            }
            other => self.act(other),
        }
        Flow::On
    }

    fn holds(&self, question: &If) -> bool {
        let value = self.text(&question.value);
        let test = |text: &Option<String>, holds: fn(&str, &str) -> bool| {
            text.as_ref()
                .is_none_or(|text| holds(&value, &self.text(text)))
        };
        test(&question.is, |value, text| value == text)
            && test(&question.not, |value, text| value != text)
            && test(&question.prefix, |value, text| value.starts_with(text))
            && test(&question.contains, |value, text| value.contains(text))
            && question
                .json_keys
                .as_ref()
                .is_none_or(|keys| has_keys(&value, keys))
    }
}

fn has_keys(text: &str, keys: &[String]) -> bool {
    match serde_json::from_str::<Entries<String, IgnoredAny>>(text) {
        Ok(Entries(entries)) => keys
            .iter()
            .all(|key| entries.iter().any(|(known, _)| known == key)),
        Err(_) => false,
    }
}
