//! A filter: greets in responses, and asks who wants to see what is private.
//!
//! Configuration: the greeting, as it is.

use proxy_wasm::hostcalls;
use proxy_wasm::traits::{Context, HttpContext, RootContext};
use proxy_wasm::types::{Action, ContextType, LogLevel};

proxy_wasm::main! {{
    proxy_wasm::set_log_level(LogLevel::Info);
    proxy_wasm::set_root_context(|_| Box::new(Plugin { greeting: String::new() }));
}}

/// The plugin: one for each configuration and worker.
struct Plugin {
    greeting: String,
}

impl Context for Plugin {}

impl RootContext for Plugin {
    fn on_configure(&mut self, _size: usize) -> bool {
        let text = self.get_plugin_configuration().unwrap_or_default();
        match String::from_utf8(text) {
            Ok(greeting) => self.greeting = greeting,
            Err(error) => {
                let _ = hostcalls::log(LogLevel::Error, &format!("configuration: {error}"));
                return false;
            }
        }
        true
    }

    fn get_type(&self) -> Option<ContextType> {
        Some(ContextType::HttpContext)
    }

    fn create_http_context(&self, _id: u32) -> Option<Box<dyn HttpContext>> {
        Some(Box::new(Exchange { greeting: self.greeting.clone() }))
    }
}

/// One request and its response.
struct Exchange {
    greeting: String,
}

impl Context for Exchange {}

impl HttpContext for Exchange {
    fn on_http_request_headers(&mut self, _count: usize, _end: bool) -> Action {
        let path = self.get_http_request_header(":path").unwrap_or_default();
        if path.starts_with("/private") && self.get_http_request_header("authorization").is_none() {
            let headers = vec![("www-authenticate", "Bearer"), ("content-type", "text/plain")];
            self.send_http_response(401, headers, Some(b"Who are you?\n"));
            return Action::Pause;
        }
        self.set_http_request_header("x-seen-by", Some("{{name}}"));
        Action::Continue
    }

    fn on_http_response_headers(&mut self, _count: usize, _end: bool) -> Action {
        self.set_http_response_header("x-greeting", Some(&self.greeting));
        Action::Continue
    }
}
