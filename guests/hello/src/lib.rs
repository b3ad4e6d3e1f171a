//! The quick start's filter: greets, counts visits, guards `/secret`.
//!
//! Configuration: `{ "greeting": "Hello" }`, or nothing at all. Every response gets the greeting
//! and the number of visits so far, counted across all worker threads. What lies under `/secret`
//! needs an `authorization` header.

use std::rc::Rc;

use proxy_wasm::hostcalls;
use proxy_wasm::traits::{Context, HttpContext, RootContext};
use proxy_wasm::types::{Action, ContextType, LogLevel, MetricType, Status};
use serde::Deserialize;

/// Key of the shared counter.
const VISITS: &str = "visits";

proxy_wasm::main! {{
    proxy_wasm::set_log_level(LogLevel::Info);
    proxy_wasm::set_root_context(|_| Box::<Plugin>::default());
}}

/// What the operator may say.
#[derive(Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Configuration {
    greeting: String,
}

impl Default for Configuration {
    fn default() -> Self {
        Self {
            greeting: "Hello".to_owned(),
        }
    }
}

/// The plugin: one per configuration and worker.
#[derive(Default)]
struct Plugin {
    configuration: Rc<Configuration>,
    requests: Option<u32>,
}

impl Context for Plugin {}

impl RootContext for Plugin {
    fn on_configure(&mut self, _size: usize) -> bool {
        if let Some(text) = self.get_plugin_configuration() {
            match serde_json::from_slice(&text) {
                Ok(configuration) => self.configuration = Rc::new(configuration),
                Err(error) => {
                    let _ = hostcalls::log(LogLevel::Error, &format!("configuration: {error}"));
                    return false;
                }
            }
        }
        self.requests = hostcalls::define_metric(MetricType::Counter, "hello_requests").ok();
        true
    }

    fn get_type(&self) -> Option<ContextType> {
        Some(ContextType::HttpContext)
    }

    fn create_http_context(&self, _id: u32) -> Option<Box<dyn HttpContext>> {
        let configuration = Rc::clone(&self.configuration);
        Some(Box::new(Visit {
            configuration,
            requests: self.requests,
            number: 0,
        }))
    }
}

/// One request.
struct Visit {
    configuration: Rc<Configuration>,
    requests: Option<u32>,
    number: u64,
}

impl Visit {
    /// Adds one to the shared counter. Another worker may be faster: then it is read again.
    fn count(&self) -> u64 {
        loop {
            let (text, version) = self.get_shared_data(VISITS);
            let number = text.and_then(|text| String::from_utf8(text).ok()?.parse().ok());
            let next = number.unwrap_or(0) + 1;
            match self.set_shared_data(VISITS, Some(next.to_string().as_bytes()), version) {
                Err(Status::CasMismatch) => {}
                _ => return next,
            }
        }
    }
}

impl Context for Visit {}

impl HttpContext for Visit {
    fn on_http_request_headers(&mut self, _count: usize, _end: bool) -> Action {
        self.number = self.count();
        if let Some(requests) = self.requests {
            let _ = hostcalls::increment_metric(requests, 1);
        }
        let path = self.get_http_request_header(":path").unwrap_or_default();
        if path.starts_with("/secret") && self.get_http_request_header("authorization").is_none() {
            let headers = vec![
                ("www-authenticate", "Bearer"),
                ("content-type", "text/plain"),
            ];
            self.send_http_response(401, headers, Some(b"Who are you?\n"));
            return Action::Pause;
        }
        self.set_http_request_header("x-seen-by", Some("hello.wasm"));
        Action::Continue
    }

    fn on_http_response_headers(&mut self, _count: usize, _end: bool) -> Action {
        self.set_http_response_header("x-greeting", Some(&self.configuration.greeting));
        self.set_http_response_header("x-visits", Some(&self.number.to_string()));
        Action::Continue
    }
}
