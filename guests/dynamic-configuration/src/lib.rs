//! Settings that change while the gateway runs: headers to set, and answers in place of a service.
//!
//! Each entry of a shared map is a setting, a JSON document. The filter follows the map: what
//! `weir map set` writes holds from the next request on, on all workers, without a reload. A document
//! that is wrong is refused in the log, and the one before it still holds.

use std::cell::RefCell;
use std::rc::Rc;

use follow::{Followed, Notice};
use proxy_wasm::hostcalls;
use proxy_wasm::traits::{Context, HttpContext, RootContext};
use proxy_wasm::types::{Action, ContextType, LogLevel};
use serde::Deserialize;

mod setting;

use setting::{Headers, Setting};

proxy_wasm::main! {{
    proxy_wasm::set_log_level(LogLevel::Info);
    proxy_wasm::set_root_context(|_| Box::<Plugin>::default());
}}

/// Settings, in the order of their keys.
type Settings = Rc<RefCell<Followed<Setting>>>;

thread_local! {
    /// Of all configurations in this VM.
    static FOLLOWED: RefCell<Vec<Settings>> = const { RefCell::new(Vec::new()) };
}

wasi_map::on_change!(|_, watch| FOLLOWED.with_borrow(|all| {
    let changed = |settings: &&Settings| settings.borrow().watch() == watch;
    if let Some(settings) = all.iter().find(changed) {
        match settings.borrow_mut().catch_up() {
            Ok(notices) => notices.iter().for_each(tell),
            Err(error) => log(LogLevel::Error, &format!("reading the settings: {error}")),
        }
    }
}));

/// What the operator says.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Configuration {
    /// The map with the settings.
    map: String,
}

impl Default for Configuration {
    fn default() -> Self {
        Self {
            map: "settings".to_owned(),
        }
    }
}

/// The plugin: one per configuration and VM.
#[derive(Default)]
struct Plugin(Option<Settings>);

impl Plugin {
    fn configure(&mut self, text: &[u8]) -> Result<(), String> {
        let Configuration { map } = match text {
            [] => Configuration::default(),
            text => serde_json::from_slice(text).map_err(|error| error.to_string())?,
        };
        let reading = |_: &str, text: &[u8]| Setting::read(text);
        let (settings, notices) = Followed::open(&map, reading).map_err(|error| {
            let rights = follow::RIGHTS;
            format!("map {map}: {error}; is it granted, to {rights}?")
        })?;
        notices.iter().for_each(tell);
        let settings = Rc::new(RefCell::new(settings));
        FOLLOWED.with_borrow_mut(|all| all.push(Rc::clone(&settings)));
        self.0 = Some(settings);
        Ok(())
    }
}

impl Context for Plugin {}

impl RootContext for Plugin {
    fn on_configure(&mut self, _size: usize) -> bool {
        let text = self.get_plugin_configuration().unwrap_or_default();
        let configured = self.configure(&text);
        if let Err(why) = &configured {
            log(LogLevel::Error, &format!("configuration: {why}"));
        }
        configured.is_ok()
    }

    fn get_type(&self) -> Option<ContextType> {
        Some(ContextType::HttpContext)
    }

    fn create_http_context(&self, _id: u32) -> Option<Box<dyn HttpContext>> {
        let settings = Rc::clone(self.0.as_ref()?);
        Some(Box::new(Request {
            settings,
            path: String::new(),
        }))
    }
}

/// One request.
struct Request {
    settings: Settings,
    path: String,
}

impl Context for Request {}

impl HttpContext for Request {
    fn on_http_request_headers(&mut self, _count: usize, _end: bool) -> Action {
        self.path = self.get_http_request_header(":path").unwrap_or_default();
        for setting in self.settings.borrow().values() {
            if !setting.is_for(&self.path) {
                continue;
            }
            if let Some(answer) = &setting.answer {
                let headers = answer.headers.iter();
                let headers = headers.map(|(name, value)| (name.as_str(), value.as_str()));
                let body = Some(answer.body.as_bytes());
                self.send_http_response(answer.status, headers.collect(), body);
                return Action::Pause;
            }
            put(&setting.request_headers, |name, value| {
                self.set_http_request_header(name, value);
            });
        }
        Action::Continue
    }

    fn on_http_response_headers(&mut self, _count: usize, _end: bool) -> Action {
        let settings = self.settings.borrow();
        for setting in settings
            .values()
            .filter(|setting| setting.is_for(&self.path))
        {
            put(&setting.response_headers, |name, value| {
                self.set_http_response_header(name, value);
            });
        }
        Action::Continue
    }
}

fn put(headers: &Headers, set: impl Fn(&str, Option<&str>)) {
    for (name, value) in headers {
        set(name, value.as_deref());
    }
}

fn tell(notice: &Notice) {
    let level = if notice.is_bad() {
        LogLevel::Warn
    } else {
        LogLevel::Info
    };
    log(level, &format!("settings: {notice}"));
}

fn log(level: LogLevel, text: &str) {
    // A host that does not take it has nobody to tell.
    let _ = hostcalls::log(level, text);
}
