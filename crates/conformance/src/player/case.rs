//! One case on its stage: the host, the servers, the clients, and the steps.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::Duration;

use serde_json::Value as Json;

use super::Outcome;
use super::metric::metric_flaw;
use super::tell::{indented, observed, shortened};
use crate::client::Client;
use crate::host::{Cluster, Heard, Host, Live, Stage, Start};
use crate::pattern::matches;
use crate::report::Failure;
use crate::server::{Running, dead_address};
use crate::statement::{
    AccessCheck, Case, LogCheck, Message, Protocol, Request, RequestCheck, ResponseCheck,
    ServerName, Verb,
};
use crate::trouble::Trouble;
use crate::watch::Watch;
use crate::wire::eventually;
use crate::{Options, statement::Step};

/// How long lines are still looked for after a list of all lines held.
const SETTLE: Duration = Duration::from_millis(25);
/// How long a crash that explains a failure is waited for.
const LAST_WORDS: Duration = Duration::from_millis(150);
/// Between two tries of a step that is tried again.
const AGAIN: Duration = Duration::from_millis(20);

/// A running case.
pub(super) struct Play<'a> {
    case: &'a Case,
    host: String,
    live: Live,
    address: SocketAddr,
    up: Running,
    side: Running,
    clients: HashMap<String, Client>,
    last: Option<Message>,
    patience: Duration,
    has_stopped: bool,
}

impl<'a> Play<'a> {
    pub(super) fn run(
        case: &'a Case,
        host: &Host,
        options: &Options,
        watch: &Watch,
    ) -> Result<Outcome, Trouble> {
        let host_failed = |error: std::io::Error| Trouble::Host(error.to_string());
        let up = Running::start(&case.scene.upstream, "up", watch)?;
        let side = Running::start(&case.scene.side, "side", watch)?;
        let dead = dead_address().map_err(host_failed)?;
        let folder = tempfile::tempdir().map_err(host_failed)?;
        let cluster = |name: &str, running: &Running, protocol| Cluster {
            name: name.to_owned(),
            addresses: running.addresses.clone(),
            is_http2: protocol == Protocol::Grpc,
        };
        let dead = Cluster {
            name: "dead".to_owned(),
            addresses: vec![dead],
            is_http2: false,
        };
        let clusters = vec![
            cluster("up", &up, case.scene.upstream.protocol),
            cluster("side", &side, case.scene.side.protocol),
            dead,
        ];
        let stage = Stage::of_case(case, folder.path(), clusters, watch)?;
        let live = match host.start(&stage)? {
            Start::Live(live) => live,
            Start::NotApplicable(why) => return Ok(Outcome::Skipped(why)),
            Start::Refused(heard) => return Ok(refused(case, &heard)),
        };
        let mut play = Self {
            case,
            host: host.name(),
            address: live.addresses[0],
            live,
            up,
            side,
            clients: HashMap::new(),
            last: None,
            patience: options.patience,
            has_stopped: false,
        };
        if case.scene.is_refused {
            let what = "the host took the configuration; it must refuse it";
            return Ok(play.failed(0, what.to_owned()));
        }
        Ok(play.steps())
    }

    /// Whether a step is played.
    fn is_for_host(&self, step: &Step) -> bool {
        step.only.as_ref().is_none_or(|only| *only == self.host)
    }

    fn steps(&mut self) -> Outcome {
        for step in &self.case.steps {
            if !self.is_for_host(step) {
                continue;
            }
            for verb in &step.verbs {
                if let Err(what) = self.verb(step, verb) {
                    return self.failed(step.line, what);
                }
            }
        }
        if let Err((line, what)) = self.settle() {
            return self.failed(line, what);
        }
        if let Some(end) = self.death() {
            return self.failed(0, format!("the host ended: {end}"));
        }
        Outcome::Held
    }

    fn verb(&mut self, step: &Step, verb: &Verb) -> Result<(), String> {
        let client = &step.client;
        match verb {
            Verb::Ask(request, check) => return self.ask(request, check),
            Verb::Send(text) => self.client(client)?.send(text),
            Verb::HangUp => {
                if let Some(client) = self.clients.remove(client) {
                    client.hang_up();
                }
            }
            Verb::HalfClose => self.client(client)?.half_close(),
            Verb::Response(check) => {
                let response = self.client(client)?.response(check.is_head);
                return self.compare(response, check);
            }
            Verb::Receive(text) => return self.client(client)?.receive(text),
            Verb::Closed => return self.client(client)?.closed(),
            Verb::Silence(time) => return self.client(client)?.silence(*time),
            Verb::Await { filter, line } => return self.await_line(*filter, line),
            Verb::Log { filter, check } => return self.log(*filter, check),
            Verb::Server(name, check) => return self.server(*name, check),
            Verb::Access { line, check } => return self.access(*line, check),
            Verb::Metric { name, value } => return self.metric(name, value),
            Verb::Wait(time) => std::thread::sleep(*time),
            Verb::Until(request, check) => return self.until(request, check),
            Verb::Stop => {
                self.has_stopped = true;
                return self.live.stop().map_err(|trouble| trouble.to_string());
            }
            Verb::LogLevel(level) => {
                let set = self.live.set_log_level(level);
                return set.map_err(|trouble| trouble.to_string());
            }
        }
        Ok(())
    }

    /// The connection of a name, made when it is first used.
    fn client(&mut self, name: &str) -> Result<&mut Client, String> {
        if !self.clients.contains_key(name) {
            let client = Client::connect(self.address, self.patience)
                .map_err(|error| format!("cannot connect: {error}"))?;
            self.clients.insert(name.to_owned(), client);
        }
        self.clients
            .get_mut(name)
            .ok_or_else(|| "no connection".to_owned())
    }

    fn ask(&mut self, request: &Request, check: &ResponseCheck) -> Result<(), String> {
        let mut client = Client::connect(self.address, self.patience)
            .map_err(|error| format!("cannot connect: {error}"))?;
        client.send(&request.bytes);
        let response = client.response(check.is_head || request.is_head);
        self.compare(response, check)
    }

    fn compare(&mut self, response: Message, check: &ResponseCheck) -> Result<(), String> {
        let flaw = check.flaw(&response);
        self.last = Some(response);
        flaw.map_or(Ok(()), |flaw| Err(format!("response: {flaw}")))
    }

    fn until(&mut self, request: &Request, check: &ResponseCheck) -> Result<(), String> {
        let mut flaw = String::new();
        let patience = self.patience;
        let held = eventually(patience, || match self.ask(request, check) {
            Ok(()) => Some(()),
            Err(what) => {
                flaw = what;
                std::thread::sleep(AGAIN);
                None
            }
        });
        held.ok_or(flaw)
    }

    fn await_line(&mut self, filter: usize, line: &str) -> Result<(), String> {
        let found = eventually(self.patience, || {
            let heard = self.live.ear.heard();
            let lines = heard.lines.get(filter)?;
            lines.iter().any(|known| matches(line, known)).then_some(())
        });
        found.ok_or_else(|| format!("f{filter} never logged {line:?}"))
    }

    fn lines(&self, filter: usize) -> Vec<String> {
        let heard = self.live.ear.heard();
        heard.lines.get(filter).cloned().unwrap_or_default()
    }

    fn log(&self, filter: usize, check: &LogCheck) -> Result<(), String> {
        eventually(self.patience, || {
            let lines = self.lines(filter);
            (check.flaw(&lines).is_none() || check.is_lost(&lines)).then_some(())
        });
        let flaw = check.flaw(&self.lines(filter));
        flaw.map_or(Ok(()), |flaw| Err(format!("log of f{filter}: {flaw}")))
    }

    fn server(&self, name: ServerName, check: &RequestCheck) -> Result<(), String> {
        let (cluster, server) = match name {
            ServerName::Up => ("upstream", &self.up),
            ServerName::Side => ("side", &self.side),
        };
        eventually(self.patience, || {
            let seen = server.record.seen();
            let too_many = check.count.is_some_and(|count| seen.len() > count);
            (too_many || check.flaw(&seen).is_none()).then_some(())
        });
        let flaw = check.flaw(&server.record.seen());
        flaw.map_or(Ok(()), |flaw| Err(format!("{cluster}: {flaw}")))
    }

    fn access(&self, line: usize, check: &AccessCheck) -> Result<(), String> {
        let found = eventually(self.patience, || {
            self.live.ear.heard().access.get(line).cloned()
        });
        let found = found.ok_or_else(|| format!("the access log has no line {line}"))?;
        let flaw = check.flaw(&found);
        flaw.map_or(Ok(()), |flaw| Err(format!("access log: {flaw}")))
    }

    fn metric(&mut self, name: &str, value: &Json) -> Result<(), String> {
        let mut flaw = String::new();
        let held = eventually(self.patience, || {
            let found = match self.live.metrics() {
                Ok(text) => metric_flaw(&text, name, value),
                Err(trouble) => Some(trouble.to_string()),
            };
            match found {
                None => Some(()),
                Some(what) => {
                    flaw = what;
                    std::thread::sleep(AGAIN);
                    None
                }
            }
        });
        held.ok_or(flaw)
    }

    /// Looks once more at lists of all lines that held, unless a later step may have added lines.
    fn settle(&self) -> Result<(), (usize, String)> {
        let mut checks: Vec<(usize, usize, &LogCheck)> = Vec::new();
        for step in self
            .case
            .steps
            .iter()
            .rev()
            .filter(|step| self.is_for_host(step))
        {
            for verb in step.verbs.iter().rev() {
                match verb {
                    Verb::Log { filter, check } => checks.push((step.line, *filter, check)),
                    Verb::Server(..) | Verb::Access { .. } | Verb::Metric { .. } => {}
                    _ => return self.settled(&checks),
                }
            }
        }
        self.settled(&checks)
    }

    fn settled(&self, checks: &[(usize, usize, &LogCheck)]) -> Result<(), (usize, String)> {
        if self.has_stopped || !checks.iter().any(|(_, _, check)| check.all.is_some()) {
            return Ok(());
        }
        std::thread::sleep(SETTLE);
        for (line, filter, check) in checks {
            let lines = self.lines(*filter);
            if check.is_lost(&lines) {
                let flaw = check.flaw(&lines).unwrap_or_default();
                return Err((*line, format!("log of f{filter}, a moment later: {flaw}")));
            }
        }
        Ok(())
    }

    /// How the host ended although nobody asked it to; `None`: it did not.
    fn death(&mut self) -> Option<String> {
        if self.has_stopped {
            None
        } else {
            self.live.end()
        }
    }

    fn failed(&mut self, line: usize, mut what: String) -> Outcome {
        let mut observed = observed(&self.live.ear.heard());
        if let Some(last) = &self.last {
            observed.push(format!(
                "last response: {} {:?}, {} bytes{}\n{}",
                last.status,
                shortened(&last.body),
                last.length,
                if last.was_cut { ", cut off" } else { "" },
                indented(&last.head),
            ));
        }
        for (name, server) in [("upstream", &self.up), ("side", &self.side)] {
            for seen in server.record.seen() {
                let end = match (seen.is_whole, seen.broke_off) {
                    (true, false) => "whole",
                    (true, true) => "whole, then it broke off",
                    (false, true) => "it broke off",
                    (false, false) => "not whole",
                };
                observed.push(format!(
                    "{name} (server {}) saw: {end}, body {:?}, {} bytes, messages {:?}, reset {:?}, trailers {:?}\n{}",
                    seen.server,
                    shortened(&seen.body),
                    seen.length,
                    seen.messages,
                    seen.reset,
                    seen.trailers,
                    indented(&seen.head),
                ));
            }
        }
        // A host that crashes closes its connections first.
        if let Some(end) = eventually(LAST_WORDS, || self.death()) {
            what = format!("the host ended: {end}; {what}");
        }
        Outcome::Failed(Box::new(Failure {
            case: self.case.name.clone(),
            line,
            what,
            observed,
        }))
    }
}

/// What comes of a start that was refused.
fn refused(case: &Case, heard: &Heard) -> Outcome {
    let words = heard.other.join("\n");
    let flaw = match &case.scene.reason {
        _ if !case.scene.is_refused => Some("the host refused the configuration".to_owned()),
        Some(reason) if !matches(reason, &words) => Some(format!(
            "the host refused the configuration without {reason:?}"
        )),
        _ => case
            .steps
            .iter()
            .flat_map(|step| &step.verbs)
            .find_map(|verb| match verb {
                Verb::Log { filter, check } => check.flaw(&heard.lines[*filter]),
                _ => Some("a refused start has no steps but of the log".to_owned()),
            }),
    };
    match flaw {
        None => Outcome::Held,
        Some(what) => Outcome::Failed(Box::new(Failure {
            case: case.name.clone(),
            line: 0,
            what,
            observed: observed(heard),
        })),
    }
}
