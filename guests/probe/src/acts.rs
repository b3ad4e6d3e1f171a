//! The steps that call the host. What a fallible call answered is then in `{status}`.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::fmt::Debug;
use std::time::Duration;

use proxy_wasm::hostcalls;
use proxy_wasm::types::{GrpcStatusCode, LogLevel, Status};

use crate::player::Player;
use crate::script::{Amount, Call, Entry, Map, Named, Pair, Reply, Step, Triple, Whole};
use crate::values::remember;
use crate::wasi;
use crate::wreck;

/// "To the end" and "behind the end" of a buffer.
const END: usize = i32::MAX as usize;

thread_local! {
    static WAITING: RefCell<VecDeque<u32>> = const { RefCell::new(VecDeque::new()) };
}

/// Notes a paused context for `release`.
pub fn postpone(context: u32) {
    WAITING.with_borrow_mut(|waiting| waiting.push_back(context));
}

/// Lets the context go on that has waited longest.
fn release() -> bool {
    let Some(context) = WAITING.with_borrow_mut(VecDeque::pop_front) else {
        return false;
    };
    // A context that ended while it waited is unknown to the host by now.
    if hostcalls::set_effective_context(context).is_ok() {
        let _ = hostcalls::resume_http_request();
    }
    true
}

impl Player {
    /// Plays a step that does not decide what comes next.
    pub fn act(&mut self, step: &Step) {
        match step {
            Step::Resume => self.note(hostcalls::resume_http_request()),
            Step::ResumeResponse => self.note(hostcalls::resume_http_response()),
            Step::Reply(reply) => self.reply(reply),
            Step::GrpcReply(Pair(status, message)) => self.grpc_reply(status, message),
            Step::Release => drop(release()),
            Step::ReleaseAll => while release() {},
            Step::Set(..) | Step::Add(..) | Step::Remove(..) | Step::SetAll(..) => self.edit(step),
            Step::Body(text) => self.set_body(0, END, text),
            Step::Append(text) => self.set_body(END, 0, text),
            Step::Prepend(text) => self.set_body(0, 0, text),
            Step::Property(Pair(path, value)) => self.set_property(path, value),
            Step::Var(Pair(name, value)) => self.learn(name, &self.text(value)),
            Step::Remember(name) => remember(&self.text(name)),
            Step::Share(..) | Step::ShareStale(..) | Step::Unshare(_) => self.share(step),
            Step::Count(key) => self.count(key),
            Step::Queue(name) => {
                let queue = hostcalls::register_shared_queue(&self.text(name));
                self.note(queue);
            }
            Step::Enqueue(Triple(vm_id, name, item)) => self.enqueue(vm_id, name, item),
            Step::Increment(amount) => self.increment(amount),
            Step::Record(amount) => self.record(amount),
            Step::Call(call) => self.call(call),
            Step::GrpcCall(call) => self.grpc_call(call),
            Step::Foreign(Pair(name, argument)) => self.foreign(name, argument),
            Step::Tick(period) => {
                self.note(hostcalls::set_tick_period(Duration::from_millis(*period)));
            }
            Step::Done => self.note(hostcalls::done()),
            Step::Log(text) => log(LogLevel::Info, &self.text(text)),
            Step::LogAt(Pair(level, text)) => log(level_of(level), &self.text(text)),
            Step::LogMap(map) => log_map(*map),
            Step::Print(text) => wasi::print(1, &self.text(text)),
            Step::PrintError(text) => wasi::print(2, &self.text(text)),
            Step::Panic(text) => panic!("{}", self.text(text)),
            Step::Loop => wreck::spin_for_ever(),
            Step::Recurse => wreck::recurse(),
            Step::Spin(rounds) => wreck::spin(*rounds),
            Step::Hog(mebibytes) => wreck::hog(*mebibytes),
            Step::Grow(mebibytes) => self.note(wreck::grow(*mebibytes)),
            Step::Exit(code) => wasi::exit(*code),
            // `Player::step` has played these.
            Step::Pause
            | Step::AwaitEnd
            | Step::Refuse
            | Step::Stop
            | Step::If(_)
            | Step::Postpone
            | Step::DeferDone => {}
        }
    }

    /// Keeps what a call answered as `{status}`: `Ok`, or the name of the error.
    fn note<T, E: Debug>(&mut self, answer: Result<T, E>) {
        match answer {
            Ok(_) => self.learn("status", &"Ok"),
            Err(error) => self.learn("status", &format!("{error:?}")),
        }
    }

    fn reply(&mut self, reply: &Reply) {
        let headers = self.texts(&reply.headers);
        let body = reply.body.as_ref().map(|body| self.text(body));
        let body = body.as_deref().map(str::as_bytes);
        self.note(hostcalls::send_http_response(
            reply.status,
            pairs(&headers),
            body,
        ));
    }

    fn grpc_reply(&mut self, status: &str, message: &str) {
        let message = self.text(message);
        let status = match status {
            "aborted" => GrpcStatusCode::Aborted,
            "permission_denied" => GrpcStatusCode::PermissionDenied,
            "unauthenticated" => GrpcStatusCode::Unauthenticated,
            "unavailable" => GrpcStatusCode::Unavailable,
            _ => GrpcStatusCode::Unknown,
        };
        self.note(hostcalls::send_grpc_response(
            status,
            Some(&message),
            Vec::new(),
        ));
    }

    fn edit(&mut self, step: &Step) {
        let answer = match step {
            Step::Set(Entry(map, name, value)) => {
                let (name, value) = (self.text(name), self.text(value));
                hostcalls::set_map_value(map.kind(), &name, Some(&value))
            }
            Step::Add(Entry(map, name, value)) => {
                hostcalls::add_map_value(map.kind(), &self.text(name), &self.text(value))
            }
            Step::Remove(Named(map, name)) => {
                hostcalls::remove_map_value(map.kind(), &self.text(name))
            }
            Step::SetAll(whole) => {
                let Whole(map, entries) = &**whole;
                hostcalls::set_map(map.kind(), pairs(&self.texts(entries)))
            }
            _ => return,
        };
        self.note(answer);
    }

    fn set_body(&mut self, start: usize, size: usize, text: &str) {
        let Some(body) = self.body else {
            return self.learn("status", &"NoBody");
        };
        let text = self.text(text);
        self.note(hostcalls::set_buffer(body, start, size, text.as_bytes()));
    }

    fn set_property(&mut self, path: &str, value: &str) {
        let (path, value) = (self.text(path), self.text(value));
        self.note(hostcalls::set_property(
            path.split('.').collect(),
            Some(value.as_bytes()),
        ));
    }

    fn share(&mut self, step: &Step) {
        let answer = match step {
            Step::Share(Pair(key, value)) => {
                let (key, value) = (self.text(key), self.text(value));
                hostcalls::set_shared_data(&key, Some(value.as_bytes()), None)
            }
            Step::ShareStale(Pair(key, value)) => {
                let (key, value) = (self.text(key), self.text(value));
                let version = hostcalls::get_shared_data(&key)
                    .ok()
                    .and_then(|(_, version)| version);
                let stale = Some(version.unwrap_or(0) + 1);
                hostcalls::set_shared_data(&key, Some(value.as_bytes()), stale)
            }
            Step::Unshare(key) => hostcalls::set_shared_data(&self.text(key), None, None),
            _ => return,
        };
        self.note(answer);
    }

    /// Adds one to a shared decimal number, however many workers do so at once.
    fn count(&mut self, key: &str) {
        let key = self.text(key);
        loop {
            let Ok((value, version)) = hostcalls::get_shared_data(&key) else {
                return;
            };
            let number = value.and_then(|value| String::from_utf8(value).ok()?.parse::<u64>().ok());
            let next = (number.unwrap_or(0) + 1).to_string();
            if hostcalls::set_shared_data(&key, Some(next.as_bytes()), version)
                != Err(Status::CasMismatch)
            {
                return self.learn("counted", &next);
            }
        }
    }

    fn enqueue(&mut self, vm_id: &str, name: &str, item: &str) {
        let queue = hostcalls::resolve_shared_queue(&self.text(vm_id), &self.text(name));
        let Ok(Some(queue)) = queue else {
            return self.learn("status", &"NotFound");
        };
        let item = self.text(item);
        self.note(hostcalls::enqueue_shared_queue(
            queue,
            Some(item.as_bytes()),
        ));
    }

    fn increment(&mut self, Amount(metric, name, offset): &Amount) {
        let id = hostcalls::define_metric(metric.kind(), &self.text(name));
        self.note(id.and_then(|id| hostcalls::increment_metric(id, *offset)));
    }

    fn record(&mut self, Amount(metric, name, value): &Amount) {
        let id = hostcalls::define_metric(metric.kind(), &self.text(name));
        self.note(id.and_then(|id| hostcalls::record_metric(id, value.unsigned_abs())));
    }

    fn call(&mut self, call: &Call) {
        let mut headers = self.texts(&call.headers);
        for (name, value) in [(":method", "GET"), (":path", "/"), (":authority", "probe")] {
            if !headers.iter().any(|(known, _)| known == name) {
                headers.insert(0, (name.to_owned(), value.to_owned()));
            }
        }
        let trailers = self.texts(&call.trailers);
        let body = call.body.as_ref().map(|body| self.text(body));
        let token = hostcalls::dispatch_http_call(
            &self.text(&call.cluster),
            pairs(&headers),
            body.as_deref().map(str::as_bytes),
            pairs(&trailers),
            Duration::from_millis(call.timeout_ms),
        );
        self.open_calls += u32::from(token.is_ok());
        self.note(token);
    }

    fn grpc_call(&mut self, call: &[String; 4]) {
        let [cluster, service, method, message] = call.each_ref().map(|text| self.text(text));
        let token = hostcalls::dispatch_grpc_call(
            &cluster,
            &service,
            &method,
            Vec::new(),
            Some(message.as_bytes()),
            Duration::from_secs(5),
        );
        self.open_calls += u32::from(token.is_ok());
        self.note(token);
    }

    fn foreign(&mut self, name: &str, argument: &str) {
        let argument = self.text(argument);
        let answer = hostcalls::call_foreign_function(&self.text(name), Some(argument.as_bytes()));
        if let Ok(bytes) = &answer {
            self.learn(
                "result",
                &String::from_utf8_lossy(bytes.as_deref().unwrap_or_default()),
            );
        }
        self.note(answer);
    }

    fn texts(&self, entries: &[Pair]) -> Vec<(String, String)> {
        entries
            .iter()
            .map(|Pair(name, value)| (self.text(name), self.text(value)))
            .collect()
    }
}

fn pairs(entries: &[(String, String)]) -> Vec<(&str, &str)> {
    entries
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect()
}

fn log(level: LogLevel, text: &str) {
    let _ = hostcalls::log(level, text);
}

fn log_map(map: Map) {
    for (name, value) in hostcalls::get_map_bytes(map.kind()).unwrap_or_default() {
        log(
            LogLevel::Info,
            &format!("{name}: {}", String::from_utf8_lossy(&value)),
        );
    }
}

/// The level of this name; any other name is critical.
fn level_of(name: &str) -> LogLevel {
    match name {
        "trace" => LogLevel::Trace,
        "debug" => LogLevel::Debug,
        "info" => LogLevel::Info,
        "warn" => LogLevel::Warn,
        "error" => LogLevel::Error,
        _ => LogLevel::Critical,
    }
}
