//! A filter that does what its configuration says, so that one module serves many tests.
//!
//! The configuration is a script: for each callback a list of steps ([`script`]), whose texts may
//! hold values in braces ([`values`]). `README.md` lists both. Invariant: a callback without steps
//! changes nothing and goes on.

mod acts;
mod player;
mod script;
mod values;
mod wasi;
mod wreck;

use std::rc::Rc;

use proxy_wasm::hostcalls;
use proxy_wasm::traits::{Context, HttpContext, RootContext};
use proxy_wasm::types::{Action, ContextType, LogLevel};

use crate::player::Player;
use crate::script::{Phase, Script};

proxy_wasm::main! {{
    proxy_wasm::set_log_level(LogLevel::Trace);
    proxy_wasm::set_root_context(|id| Box::new(Plugin(Player::new(id, Rc::default()))));
}}

/// The root context.
struct Plugin(Player);

/// One HTTP exchange.
struct Exchange(Player);

/// Reads a script; an error goes to the log.
fn script_of(text: &[u8]) -> Option<Script> {
    match serde_json::from_slice(text) {
        Ok(script) => Some(script),
        Err(error) => {
            let _ = hostcalls::log(LogLevel::Error, &format!("probe: bad script: {error}"));
            None
        }
    }
}

impl Context for Plugin {
    fn on_http_call_response(&mut self, token: u32, headers: usize, body: usize, trailers: usize) {
        self.0.play_call_response(token, headers, body, trailers);
    }

    fn on_grpc_call_response(&mut self, token: u32, status: u32, size: usize) {
        self.0.play_grpc_response(token, status, size);
    }

    fn on_done(&mut self) -> bool {
        self.0.play_done()
    }
}

impl RootContext for Plugin {
    /// The VM configuration is a script too if it looks like one; of it only `vm_start` is played.
    fn on_vm_start(&mut self, _size: usize) -> bool {
        let text = self.get_vm_configuration().unwrap_or_default();
        if !text.starts_with(b"{") {
            return true;
        }
        let Some(script) = script_of(&text) else {
            return false;
        };
        self.0.play_start(&script, Phase::VmStart)
    }

    fn on_configure(&mut self, size: usize) -> bool {
        if size > 0 {
            let text = self.get_plugin_configuration().unwrap_or_default();
            let Some(script) = script_of(&text) else {
                return false;
            };
            self.0.script = Rc::new(script);
        }
        let script = Rc::clone(&self.0.script);
        self.0.play_start(&script, Phase::Configure)
    }

    fn on_tick(&mut self) {
        self.0.play(Phase::Tick);
    }

    fn on_queue_ready(&mut self, queue: u32) {
        self.0.play_queue(queue);
    }

    fn on_log(&mut self) {
        self.0.play(Phase::Log);
    }

    fn get_type(&self) -> Option<ContextType> {
        Some(ContextType::HttpContext)
    }

    fn create_http_context(&self, id: u32) -> Option<Box<dyn HttpContext>> {
        Some(Box::new(Exchange(Player::new(
            id,
            Rc::clone(&self.0.script),
        ))))
    }
}

impl Context for Exchange {
    fn on_http_call_response(&mut self, token: u32, headers: usize, body: usize, trailers: usize) {
        self.0.play_call_response(token, headers, body, trailers);
    }

    fn on_grpc_call_response(&mut self, token: u32, status: u32, size: usize) {
        self.0.play_grpc_response(token, status, size);
    }

    fn on_done(&mut self) -> bool {
        self.0.play_done()
    }
}

impl HttpContext for Exchange {
    fn on_http_request_headers(&mut self, count: usize, end: bool) -> Action {
        self.0.play_headers(Phase::RequestHeaders, count, end)
    }

    fn on_http_request_body(&mut self, size: usize, end: bool) -> Action {
        self.0.play_body(Phase::RequestBody, size, end)
    }

    fn on_http_request_trailers(&mut self, count: usize) -> Action {
        self.0.play_headers(Phase::RequestTrailers, count, true)
    }

    fn on_http_response_headers(&mut self, count: usize, end: bool) -> Action {
        self.0.play_headers(Phase::ResponseHeaders, count, end)
    }

    fn on_http_response_body(&mut self, size: usize, end: bool) -> Action {
        self.0.play_body(Phase::ResponseBody, size, end)
    }

    fn on_http_response_trailers(&mut self, count: usize) -> Action {
        self.0.play_headers(Phase::ResponseTrailers, count, true)
    }

    fn on_log(&mut self) {
        self.0.play(Phase::Log);
    }
}
