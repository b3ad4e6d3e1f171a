//! Flow control: how many requests of a resource may pass in a second, at the same time, or with one
//! value of a parameter. Rules are JSON in Sentinel's field names, in a shared map that is watched;
//! what is counted is in another one, so the limits hold over all workers, and over all gateways if
//! that map is in Redis.
//!
//! README.md beside this tells of rules and configuration.

use std::cell::RefCell;
use std::rc::Rc;

use flow_rules::{Rule, rules_of};
use follow::{Followed, Notice};
use proxy_wasm::hostcalls;
use proxy_wasm::traits::{Context, HttpContext, RootContext};
use proxy_wasm::types::{ContextType, LogLevel};
use wasi_map::{Map, Rights};

mod configuration;
mod request;
mod waiting;

use configuration::Configuration;
use request::Request;
use waiting::Waiting;

proxy_wasm::main! {{
    proxy_wasm::set_log_level(LogLevel::Info);
    proxy_wasm::set_root_context(|id| Box::new(Plugin { id, control: None }));
}}

/// The rule sets, by the keys of their map.
type RuleSets = Followed<Vec<Rule>>;

thread_local! {
    /// Of all configurations in this VM.
    static FOLLOWED: RefCell<Vec<Rc<RefCell<RuleSets>>>> = const { RefCell::new(Vec::new()) };
}

wasi_map::on_change!(|_, watch| FOLLOWED.with_borrow(|all| {
    let changed = |sets: &&Rc<RefCell<RuleSets>>| sets.borrow().watch() == watch;
    if let Some(sets) = all.iter().find(changed) {
        match sets.borrow_mut().catch_up() {
            Ok(notices) => notices.iter().for_each(tell),
            Err(error) => log(LogLevel::Error, &format!("reading the rules: {error}")),
        }
    }
}));

/// The plugin: one per configuration and VM.
struct Plugin {
    id: u32,
    control: Option<Rc<Control>>,
}

/// What its requests share.
struct Control {
    configuration: Configuration,
    sets: Rc<RefCell<RuleSets>>,
    state: Map,
    waiting: RefCell<Waiting>,
}

impl Plugin {
    fn configure(&mut self, text: &[u8]) -> Result<(), String> {
        let configuration = Configuration::read(text)?;
        let (name, rights) = (&configuration.state, Rights::READ | Rights::WRITE);
        let state = Map::open(name, rights).map_err(|error| {
            format!("state: map {name}: {error}; is it granted, to read, write?")
        })?;
        let (name, parameters) = (&configuration.rules, configuration.parameters.len());
        let reading = move |set: &str, text: &[u8]| rules_of(set, text, parameters);
        let (sets, notices) = Followed::open(name, reading).map_err(|error| {
            let rights = follow::RIGHTS;
            format!("rules: map {name}: {error}; is it granted, to {rights}?")
        })?;
        notices.iter().for_each(tell);
        let sets = Rc::new(RefCell::new(sets));
        FOLLOWED.with_borrow_mut(|all| all.push(Rc::clone(&sets)));
        self.control = Some(Rc::new(Control {
            configuration,
            sets,
            state,
            waiting: RefCell::new(Waiting::of(self.id)),
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
            log(LogLevel::Error, &format!("configuration: {why}"));
        }
        configured.is_ok()
    }

    fn on_tick(&mut self) {
        if let Some(control) = &self.control {
            waiting::wake(&control.waiting);
        }
    }

    fn get_type(&self) -> Option<ContextType> {
        Some(ContextType::HttpContext)
    }

    fn create_http_context(&self, id: u32) -> Option<Box<dyn HttpContext>> {
        let control = Rc::clone(self.control.as_ref()?);
        Some(Box::new(Request::new(id, control)))
    }
}

fn tell(notice: &Notice) {
    let level = if notice.is_bad() {
        LogLevel::Warn
    } else {
        LogLevel::Info
    };
    log(level, &format!("rules: {notice}"));
}

fn log(level: LogLevel, text: &str) {
    // A host that does not take it has nobody to tell.
    let _ = hostcalls::log(level, text);
}
