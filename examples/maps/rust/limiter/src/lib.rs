//! A filter that lets each path be asked for so many times in a window, and answers 429 beyond that.
//!
//! Configuration: `{ "requests": 100, "seconds": 60, "map": "counters" }`. The counters are entries
//! of a shared map, so the limit holds for all workers together, exactly; each lasts for its window
//! and no longer. Anybody else who is granted the map sees how often a path was asked for.

use std::rc::Rc;
use std::time::{Duration, SystemTime};

use proxy_wasm::hostcalls;
use proxy_wasm::traits::{Context, HttpContext, RootContext};
use proxy_wasm::types::{Action, ContextType, LogLevel};
use serde::Deserialize;
use wasi_map::{Condition, Error, Map, Rights, Terms};

proxy_wasm::main! {{
    proxy_wasm::set_log_level(LogLevel::Info);
    proxy_wasm::set_root_context(|_| Box::<Plugin>::default());
}}

/// What the operator says.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Configuration {
    requests: i64,
    seconds: u64,
    map: String,
}

/// One limit, and where it is counted.
struct Limit {
    requests: i64,
    window: Duration,
    counters: Map,
}

/// The plugin: one per configuration and worker.
#[derive(Default)]
struct Plugin(Option<Rc<Limit>>);

impl Plugin {
    fn configure(&mut self, text: &[u8]) -> Result<(), String> {
        let configuration: Configuration =
            serde_json::from_slice(text).map_err(|error| error.to_string())?;
        if configuration.seconds == 0 {
            return Err("seconds: at least 1".to_owned());
        }
        let name = &configuration.map;
        let counters = Map::open(name, Rights::READ | Rights::WRITE)
            .map_err(|error| format!("map {name}: {error}; is it granted, to read and write?"))?;
        self.0 = Some(Rc::new(Limit {
            requests: configuration.requests,
            window: Duration::from_secs(configuration.seconds),
            counters,
        }));
        Ok(())
    }
}

impl Context for Plugin {}

impl RootContext for Plugin {
    fn on_configure(&mut self, _size: usize) -> bool {
        let text = self.get_plugin_configuration().unwrap_or_default();
        let configured = self.configure(&text);
        if let Err(why) = &configured {
            let _ = hostcalls::log(LogLevel::Error, &format!("configuration: {why}"));
        }
        configured.is_ok()
    }

    fn get_type(&self) -> Option<ContextType> {
        Some(ContextType::HttpContext)
    }

    fn create_http_context(&self, _id: u32) -> Option<Box<dyn HttpContext>> {
        self.0
            .as_ref()
            .map(|limit| Box::new(Asked(Rc::clone(limit))) as Box<dyn HttpContext>)
    }
}

/// One request.
struct Asked(Rc<Limit>);

impl Context for Asked {}

impl HttpContext for Asked {
    fn on_http_request_headers(&mut self, _count: usize, _end: bool) -> Action {
        let target = self.get_http_request_header(":path").unwrap_or_default();
        let path = target.split('?').next().unwrap_or_default();
        match self.0.admit(path, self.get_current_time()) {
            Ok(true) => return Action::Continue,
            Ok(false) => {
                let seconds = self.0.window.as_secs().to_string();
                let headers = [("retry-after", seconds.as_str())];
                self.send_http_response(429, headers.to_vec(), Some(b"too many requests\n"));
            }
            Err(error) => {
                let _ = hostcalls::log(LogLevel::Error, &format!("counting {path}: {error}"));
                self.send_http_response(503, Vec::new(), Some(b"cannot count requests\n"));
            }
        }
        Action::Pause
    }
}

impl Limit {
    /// Whether a path may be asked for once more, now.
    fn admit(&self, path: &str, now: SystemTime) -> Result<bool, Error> {
        let since = now.duration_since(SystemTime::UNIX_EPOCH);
        let window = since.unwrap_or_default().as_nanos() / self.window.as_nanos();
        let key = format!("{path}#{window}");
        // Whoever is first in the window gives the counter its end; adding to it keeps that.
        let fresh = Terms {
            condition: Condition::Absent,
            ttl: Some(self.window),
        };
        match self.counters.set_with(key.as_bytes(), &[0; 8], &fresh) {
            Ok(_) | Err(Error::Again { .. }) => {}
            Err(error) => return Err(error),
        }
        Ok(self.counters.increment(key.as_bytes(), 1)? <= self.requests)
    }
}
