//! Every order of pausing, resuming, answering and closing, against a small model.
//!
//! A plan says what each filter of a chain does in each of its callbacks, and what is done to the
//! exchange from outside in between. The gateway must show filters, upstream and client what the
//! model says: no resume is lost, nobody is answered twice, nothing stays stuck.

mod model;

use std::sync::{Mutex, PoisonError};

use crate::client::{Client, Response};
use crate::stage::{Gateway, Stage, is_oracle};
use crate::upstream::eventually;
use model::{Frame, Got, Model};

/// Plans for each kind of gateway; `WEIR_PLANS` asks for another number.
const PLANS: u64 = 60;
const PLAIN: &str = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n";
const WITH_TRAILERS: &str = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ntrailer: t\r\n\r\n2\r\nok\r\n0\r\nt: 1\r\n\r\n";

/// What is done to the exchange.
#[derive(Clone, Debug)]
enum Step {
    Send(Frame),
    Kick(usize, char),
}

/// One way for an exchange to go.
#[derive(Clone, Debug)]
struct Plan {
    filters: Vec<String>,
    steps: Vec<Step>,
}

/// A source of choices that can be repeated.
struct Choices(u64);

impl Choices {
    fn below(&mut self, bound: usize) -> usize {
        // xorshift64*
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let wide = self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33;
        usize::try_from(wide).expect("31 bits") % bound
    }

    fn of(&mut self, letters: &str) -> char {
        let at = self.below(letters.len());
        char::from(letters.as_bytes()[at])
    }
}

fn puppet(index: usize) -> Vec<u8> {
    let text = include_str!("plans/puppet.wat").replace('@', &index.to_string());
    wat::parse_str(text).expect("a puppet")
}

/// A gateway with a chain of puppets.
struct Theatre {
    gateway: Gateway,
    filters: usize,
    shows_body: bool,
    answer: Vec<Frame>,
    /// For requests beside the exchange.
    kicks: Client,
}

impl Theatre {
    fn new(filters: usize, (shows_body, has_trailers): (bool, bool)) -> Self {
        let mut stage = Stage::new().upstream(if has_trailers { WITH_TRAILERS } else { PLAIN });
        for index in 0..filters {
            stage = stage
                .filter(puppet(index))
                .tune(|filter| filter.headers_stop_iteration = Some(shows_body));
        }
        let gateway = stage.start();
        let end = if has_trailers {
            Frame::Trailers
        } else {
            body("", true)
        };
        let answer = vec![Frame::Head { end: false }, body("ok", false), end];
        let kicks = gateway.client();
        Self {
            gateway,
            filters,
            shows_body,
            answer,
            kicks,
        }
    }

    fn random_plan(&self, choices: &mut Choices) -> Plan {
        // Envoy breaks when a callback continues and then stops, or closes at a response's end.
        let letters = if is_oracle() {
            "00000011122334r"
        } else {
            "00000011122334kkrx"
        };
        let filters = (0..self.filters)
            .map(|_| {
                let length = choices.below(6);
                (0..length).map(|_| choices.of(letters)).collect()
            })
            .collect();
        let mut frames = match choices.below(3) {
            0 => vec![Frame::Head { end: true }],
            _ => vec![Frame::Head { end: false }],
        };
        if frames[0] == (Frame::Head { end: false }) {
            for text in ["a", "bc", "d"].iter().take(choices.below(4)) {
                frames.push(body(text, false));
            }
            frames.push(match choices.below(2) {
                0 => Frame::Trailers,
                _ => body("", true),
            });
        }
        let mut steps = Vec::new();
        for frame in frames {
            steps.push(Step::Send(frame));
            for _ in 0..choices.below(3) {
                steps.push(Step::Kick(
                    choices.below(self.filters),
                    choices.of("00000011111rx"),
                ));
            }
        }
        for _ in 0..choices.below(4) {
            steps.push(Step::Kick(
                choices.below(self.filters),
                choices.of("00111111rx"),
            ));
        }
        Plan { filters, steps }
    }

    /// Plays a plan; then releases whoever holds something, until the exchange is over.
    fn play(&mut self, plan: &Plan) -> Result<(), String> {
        let mut model = Model::new(&plan.filters, self.shows_body, &self.answer);
        let logged: Vec<usize> = (0..self.filters)
            .map(|filter| self.gateway.logs(filter).len())
            .collect();
        let seen = self.gateway.upstream.seen().len();
        let mut client = self.gateway.client();
        let mut done = Vec::new();
        let mut steps = plan.steps.iter().cloned();
        loop {
            if model.is_over() {
                break;
            }
            let step = match steps.next() {
                Some(step) => step,
                None => match model.holder() {
                    Some((filter, letter)) => Step::Kick(filter, letter),
                    None => return Err(format!("the model is stuck after {done:?}")),
                },
            };
            // Envoy breaks when a filter continues what it does not hold, or answers late from
            // outside its callbacks.
            if is_oracle()
                && matches!(step, Step::Kick(filter, letter) if !model.matters(filter, letter))
            {
                continue;
            }
            self.perform(&mut client, plan, &step)
                .map_err(|trouble| format!("after {done:?}, in {step:?}: {trouble}"))?;
            match step.clone() {
                Step::Send(frame) => model.send(frame),
                Step::Kick(filter, letter) => model.kick(filter, letter),
            }
            done.push(step);
            if is_oracle() && model.is_beyond_envoy {
                client.hang_up();
                return self.settle(&model, &logged);
            }
            self.compare(&model, &logged)
                .map_err(|difference| format!("after {done:?}: {difference}"))?;
        }
        let response = client.response();
        self.conclude(&model, &response, (&logged, seen))
            .map_err(|difference| format!("at the end, after {done:?}: {difference}"))
    }

    /// Waits until the filters have forgotten the exchange.
    fn settle(&self, model: &Model, before: &[usize]) -> Result<(), String> {
        for filter in (0..self.filters).filter(|filter| !model.shown[*filter].is_empty()) {
            let has_ended = || {
                let lines = self.gateway.logs(filter).split_off(before[filter]);
                lines.last().is_some_and(|line| line == "delete")
            };
            if !eventually_soon(has_ended) {
                return Err(format!("filter {filter} keeps the exchange"));
            }
        }
        Ok(())
    }

    fn perform(&mut self, client: &mut Client, plan: &Plan, step: &Step) -> Result<(), String> {
        match step {
            Step::Send(Frame::Head { end }) => {
                let mut head = String::from("POST /p HTTP/1.1\r\nhost: h\r\nte: trailers\r\n");
                for (index, letters) in plan.filters.iter().enumerate() {
                    head.extend(["x-plan-", &index.to_string(), ": ", letters, "\r\n"]);
                }
                head += if *end {
                    "content-length: 0\r\n\r\n"
                } else {
                    "trailer: t\r\ntransfer-encoding: chunked\r\n\r\n"
                };
                client.send(head);
            }
            Step::Send(Frame::Body {
                text, end: false, ..
            }) => {
                client.send(format!("{:x}\r\n{text}\r\n", text.len()));
            }
            Step::Send(Frame::Body { end: true, .. }) => client.send("0\r\n\r\n"),
            Step::Send(Frame::Trailers) => client.send("0\r\nt: 1\r\n\r\n"),
            Step::Kick(filter, letter) => {
                self.round_trip(&format!("x-kick-{filter}: {letter}\r\n"))?;
            }
        }
        // The worker has one thread: what it was sent before these is done before they are.
        self.round_trip("")?;
        self.round_trip("")
    }

    /// A request beside the exchange, on the same worker.
    fn round_trip(&mut self, header: &str) -> Result<(), String> {
        self.kicks
            .send(format!("GET /other HTTP/1.1\r\nhost: h\r\n{header}\r\n"));
        let response = self.kicks.response();
        if response.brief() == (200, "other") {
            return Ok(());
        }
        Err(format!("a request beside it was answered {response:?}"))
    }

    /// The filters were shown what the model says (they may still have their end to see).
    fn compare(&self, model: &Model, before: &[usize]) -> Result<(), String> {
        for (filter, expected) in model.shown.iter().enumerate() {
            let lines = || {
                let lines = self.gateway.logs(filter).split_off(before[filter]);
                let is_end = |line: &String| matches!(&**line, "log" | "done" | "delete");
                lines
                    .into_iter()
                    .filter(|line| !is_end(line))
                    .collect::<Vec<_>>()
            };
            if eventually_soon(|| lines() == *expected) {
                continue;
            }
            return Err(format!(
                "filter {filter} was shown {:?}, not {expected:?}",
                lines()
            ));
        }
        Ok(())
    }

    fn conclude(
        &self,
        model: &Model,
        response: &Response,
        (before, seen): (&[usize], usize),
    ) -> Result<(), String> {
        let got = Got {
            status: response.status,
            body: response.body.clone(),
            is_complete: !response.was_cut,
            was_cut: response.was_cut,
        };
        let expected = &model.got;
        let agrees = if expected.was_cut {
            // What had left before may or may not have reached the client.
            got.was_cut && (got.status == 0 || got.status == expected.status)
        } else {
            got == *expected
        };
        if !agrees {
            return Err(format!("the client got {got:?}, not {expected:?}"));
        }
        for (filter, shown) in model.shown.iter().enumerate() {
            if shown.is_empty() {
                continue;
            }
            let lines = || self.gateway.logs(filter).split_off(before[filter]);
            let mut all = shown.clone();
            all.extend(["log", "done", "delete"].map(str::to_owned));
            if !eventually_soon(|| lines() == all) {
                return Err(format!("filter {filter} ended with {:?}", lines()));
            }
        }
        if let Some((body, true)) = &model.upstream {
            let whole = self.gateway.upstream.seen().split_off(seen);
            let bodies: Vec<_> = whole.iter().filter(|one| one.is_whole).collect();
            if bodies.len() != 1 || bodies[0].body != *body {
                return Err(format!("the upstream saw {whole:?}, not {body:?}"));
            }
        }
        Ok(())
    }
}

fn body(text: &str, end: bool) -> Frame {
    Frame::Body {
        text: text.to_owned(),
        end,
        is_held: false,
    }
}

fn eventually_soon(mut holds: impl FnMut() -> bool) -> bool {
    eventually(|| holds().then_some(())).is_some()
}

/// One plan at a time: its lines are told by the number of those before.
static STAGE: Mutex<()> = Mutex::new(());

fn check(filters: usize) {
    let _alone = STAGE.lock().unwrap_or_else(PoisonError::into_inner);
    let asked = std::env::var("WEIR_PLANS")
        .ok()
        .and_then(|count| count.parse().ok());
    for (shows_body, has_trailers) in [(false, false), (true, false), (false, true), (true, true)] {
        let mut theatre = Theatre::new(filters, (shows_body, has_trailers));
        for seed in 0..asked.unwrap_or(PLANS) {
            let mut choices = Choices(0x9E37_79B9_7F4A_7C15 ^ (seed + 1) << 8 ^ filters as u64);
            let plan = theatre.random_plan(&mut choices);
            if let Err(difference) = theatre.play(&plan) {
                panic!(
                    "{filters} filters, body shown: {shows_body}, trailers: {has_trailers}, seed {seed}\n{plan:?}\n{difference}"
                );
            }
        }
    }
}

#[test]
fn one_filter_in_any_order() {
    check(1);
}

#[test]
fn two_filters_in_any_order() {
    check(2);
}

#[test]
fn three_filters_in_any_order() {
    check(3);
}
