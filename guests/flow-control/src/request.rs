//! One request: what it is called, and what the rules make of it.

use std::rc::Rc;

use flow_rules::{Held, Parameter, Passed, Rule, Verdict, Wanted, decide, release};
use proxy_wasm::traits::{Context, HttpContext};
use proxy_wasm::types::{Action, LogLevel};
use wasi_map::Error;

use crate::Control;
use crate::configuration::{Otherwise, Resource};
use crate::waiting::now_ns;

/// One request.
pub(crate) struct Request {
    id: u32,
    control: Rc<Control>,
    held: Held,
    turn: Option<(u64, u32)>,
}

impl Request {
    pub(crate) fn new(id: u32, control: Rc<Control>) -> Self {
        Self {
            id,
            control,
            held: Held::default(),
            turn: None,
        }
    }

    fn resource(&self) -> Option<String> {
        match &self.control.configuration.resource {
            Resource::Route => {
                let name = self.get_property(vec!["xds", "route_name"])?;
                Some(String::from_utf8_lossy(&name).into_owned())
            }
            Resource::Path => {
                let target = self.get_http_request_header(":path")?;
                target.split('?').next().map(str::to_owned)
            }
            Resource::Header(name) => self.get_http_request_header(name),
        }
    }

    fn part(&self, wanted: &Wanted) -> Option<String> {
        match wanted {
            Wanted::ClientAddress => {
                let address = self.get_property(vec!["source", "address"])?;
                let address = String::from_utf8_lossy(&address).into_owned();
                Some(match address.rsplit_once(':') {
                    Some((host, _port)) => host.to_owned(),
                    None => address,
                })
            }
            Wanted::Host => self.get_http_request_header(":authority"),
            Wanted::Header(name) => self.get_http_request_header(name),
            Wanted::Query(name) => {
                let target = self.get_http_request_header(":path")?;
                let (_, query) = target.split_once('?')?;
                value_of(query.split('&'), name)
            }
            Wanted::Cookie(name) => {
                let cookies = self.get_http_request_header("cookie")?;
                value_of(cookies.split(';').map(str::trim), name)
            }
        }
    }

    /// A request without a resource, or without rules for it, goes on.
    fn decide(&mut self) -> Action {
        let Some(resource) = self.resource() else {
            return Action::Continue;
        };
        let control = Rc::clone(&self.control);
        let sets = control.sets.borrow();
        let rules = sets
            .values()
            .flatten()
            .filter(|rule| rule.resource == resource);
        let parameters = &control.configuration.parameters;
        let parameter = |parameter: &Parameter| match parameter {
            Parameter::Index(index) => self.part(parameters.get(*index)?),
            Parameter::Wanted(wanted) => self.part(wanted),
        };
        let now_ns = now_ns();
        match decide(rules, &control.state, now_ns, &parameter) {
            Ok(Verdict::Passed(passed)) => self.pass(passed, now_ns),
            Ok(Verdict::Blocked(rule)) => self.refuse(rule),
            Err(error) => self.fail(&resource, error),
        }
    }

    fn pass(&mut self, passed: Passed, now_ns: u64) -> Action {
        self.held = passed.held;
        if passed.wait.is_zero() {
            return Action::Continue;
        }
        let wait_ns = u64::try_from(passed.wait.as_nanos()).unwrap_or(u64::MAX);
        let turn = (now_ns.saturating_add(wait_ns), self.id);
        self.control.waiting.borrow_mut().add(turn, now_ns);
        self.turn = Some(turn);
        Action::Pause
    }

    fn refuse(&self, rule: &Rule) -> Action {
        let answer = &self.control.configuration.blocked;
        let body = answer.body.replace("{rule}", &rule.name);
        let body = body.replace("{resource}", &rule.resource);
        let body = body.replace("{limit}", &rule.control.to_string());
        let seconds = rule
            .control
            .retry_after()
            .map(|seconds| seconds.to_string());
        let mut headers = vec![("content-type", "text/plain")];
        headers.extend(seconds.as_deref().map(|seconds| ("retry-after", seconds)));
        if !answer.header.is_empty() {
            headers.push((&answer.header, &rule.name));
        }
        self.send_http_response(answer.status, headers, Some(body.as_bytes()));
        Action::Pause
    }

    fn fail(&self, resource: &str, error: Error) -> Action {
        let (then, action) = match self.control.configuration.on_map_failure {
            Otherwise::Open => ("it goes on", Action::Continue),
            Otherwise::Closed => ("it is refused", Action::Pause),
        };
        let text = format!("a request of {resource} cannot be counted: {error}; {then}");
        crate::log(LogLevel::Error, &text);
        if action == Action::Pause {
            let headers = vec![("content-type", "text/plain")];
            self.send_http_response(503, headers, Some(b"requests cannot be counted\n"));
        }
        action
    }

    /// Gives back what the request held.
    fn end(&mut self) {
        if let Some(turn) = self.turn.take() {
            self.control.waiting.borrow_mut().remove(turn);
        }
        if self.held.is_empty() {
            return;
        }
        if let Err(error) = release(std::mem::take(&mut self.held), &self.control.state) {
            let text = format!("a request that is over still counts: {error}");
            crate::log(LogLevel::Error, &text);
        }
    }
}

impl Context for Request {}

impl HttpContext for Request {
    fn on_http_request_headers(&mut self, _count: usize, _end: bool) -> Action {
        self.decide()
    }

    fn on_log(&mut self) {
        self.end();
    }
}

impl Drop for Request {
    fn drop(&mut self) {
        self.end();
    }
}

/// The value of the first `name=value` with this name.
fn value_of<'a>(mut pairs: impl Iterator<Item = &'a str>, name: &str) -> Option<String> {
    pairs.find_map(|pair| {
        let (known, value) = pair.split_once('=')?;
        (known == name).then(|| value.to_owned())
    })
}
