//! What the admin server shows of a running gateway.

mod code;
mod filters;
mod functions;
mod maps;

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use serde_json::{Value, json};
use weir_bindgen::typed::Typed;
use weir_control::admin::Observe;
use weir_model::Site;
use weir_proxy::Process;
use weir_proxy::metrics::{FamilyKind, Writer};
use weir_proxy::plugin::PluginLevel;
use weir_proxy::worker::Totals;

use crate::logging::LogControl;

/// The word for a plugin that has no level of its own.
const AS_ALL: &str = "default";

/// Facts of one running gateway.
pub(super) struct Facts {
    process: Arc<Process>,
    totals: Box<dyn Fn() -> Totals + Send + Sync>,
    log: LogControl,
    workers: NonZeroUsize,
    begun: Instant,
    is_draining: AtomicBool,
}

impl Facts {
    pub(super) fn new(
        process: Arc<Process>,
        totals: impl Fn() -> Totals + Send + Sync + 'static,
        log: LogControl,
        workers: NonZeroUsize,
    ) -> Self {
        Self {
            process,
            totals: Box::new(totals),
            log,
            workers,
            begun: Instant::now(),
            is_draining: AtomicBool::new(false),
        }
    }

    /// From now on the gateway says that it is not ready.
    pub(super) fn drain(&self) {
        self.is_draining.store(true, Ordering::Relaxed);
    }
}

impl Observe for Facts {
    fn maps(&self) -> Option<weir_maps::Engine> {
        Some(self.process.maps().clone())
    }

    fn typed_map(&self, map: &str) -> Option<Arc<Typed>> {
        self.process.typed_map(map)
    }

    fn stats(&self) -> Value {
        let totals = (self.totals)();
        let numbers: serde_json::Map<String, Value> = totals
            .named()
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value.into()))
            .collect();
        let classes: serde_json::Map<String, Value> = by_class(&totals)
            .map(|(class, count)| (class.to_owned(), count.into()))
            .collect();
        let listeners = self.process.site.listeners.iter();
        let listeners: Vec<Value> = listeners
            .map(|l| json!({ "name": &*l.name, "address": l.address.to_string(), "routes": l.routes.len() }))
            .collect();
        let clusters = self.process.site.clusters.values();
        let clusters: Vec<Value> = clusters
            .map(|c| json!({ "name": &*c.name, "endpoints": c.endpoints.len() }))
            .collect();
        json!({
            "version": env!("CARGO_PKG_VERSION"),
            "uptime_seconds": self.begun.elapsed().as_secs(),
            "workers": self.workers.get(),
            "state": if self.is_ready() { "ready" } else { "draining" },
            "responses": classes,
            "totals": numbers,
            "filters": filters::shown(&self.process),
            "last_failures": filters::failures(&self.process),
            "functions": functions::shown(&self.process),
            "code": code::shown(&self.process),
            "maps": weir_control::admin::maps::at_hand(self.process.maps(), self),
            "listeners": listeners,
            "clusters": clusters,
        })
    }

    fn metrics(&self) -> String {
        let mut writer = Writer::new();
        let totals = (self.totals)();
        for (name, value) in totals.named() {
            let is_gauge = name.ends_with("_active");
            let kind = if is_gauge {
                FamilyKind::Gauge
            } else {
                FamilyKind::Counter
            };
            let suffix = if is_gauge { "" } else { "_total" };
            let family = format!("weir_{name}{suffix}");
            let help = format!("Downstream: {}.", name.replace('_', " "));
            writer.family(&family, kind, &help).sample(&[], value);
        }
        let mut responses = writer.family(
            "weir_responses_total",
            FamilyKind::Counter,
            "Responses by class.",
        );
        for (class, count) in by_class(&totals) {
            responses.sample(&[("class", class)], count);
        }
        filters::export(&self.process, &mut writer);
        functions::export(&self.process, &mut writer);
        code::export(&self.process, &mut writer);
        maps::export(&self.process, &mut writer);
        export_capsules(&self.process, &mut writer);
        self.process.metrics.export(&mut writer);
        writer.finish()
    }

    fn is_ready(&self) -> bool {
        !self.is_draining.load(Ordering::Relaxed)
    }

    fn touched(&self, plugin: &str) -> Option<String> {
        let filter = self.process.site.filters.get(plugin)?;
        let touched = self.process.touched(plugin)?;
        Some(touched.page(plugin, filter.grants.mode))
    }

    fn site(&self) -> Arc<Site> {
        Arc::clone(&self.process.site)
    }

    fn log(&self) -> Value {
        let levels = &self.process.plugin_log;
        let own: serde_json::Map<String, Value> = levels
            .own()
            .into_iter()
            .map(|(name, level)| (name.to_string(), level.name().into()))
            .collect();
        json!({ "log": self.log.filter(), "plugins": levels.of_all().name(), "plugin": own })
    }

    fn set_log(&self, filter: &str) -> Result<(), String> {
        let level = self.log.set(filter)?;
        self.process.plugin_log.set_all(level);
        Ok(())
    }

    fn set_plugin_log(&self, plugin: Option<&str>, level: &str) -> Result<(), String> {
        let levels = &self.process.plugin_log;
        let known = PluginLevel::named(level);
        match (plugin, known) {
            (Some(plugin), _) if known.is_some() || level == AS_ALL => {
                let is_there = levels.set(plugin, known);
                let unknown = || format!("there is no filter {plugin:?}");
                is_there.then_some(()).ok_or_else(unknown)
            }
            (None, Some(level)) => {
                levels.set_all(level);
                Ok(())
            }
            (_, _) => {
                let words = PluginLevel::ALL.map(PluginLevel::name).join(", ");
                let or = plugin.map_or_else(String::new, |_| format!(", or {AS_ALL}"));
                Err(format!("expected one of {words}{or}"))
            }
        }
    }
}

/// Responses by class, with the names of the classes.
fn export_capsules(process: &Process, writer: &mut Writer) {
    let Some(report) = process.capsule_report() else {
        return;
    };
    let rows = [
        ("written", "Capsules that were written.", report.written),
        ("written_bytes", "Bytes of them.", report.bytes),
        (
            "dropped",
            "Capsules that were not written: too many waited, or the disk refused.",
            report.dropped,
        ),
    ];
    for (name, help, number) in rows {
        let name = format!("weir_capsules_{name}_total");
        let mut family = writer.family(&name, FamilyKind::Counter, help);
        family.sample(&[], number);
    }
}

fn by_class(totals: &Totals) -> impl Iterator<Item = (&'static str, u64)> + use<> {
    ["1xx", "2xx", "3xx", "4xx", "5xx"]
        .into_iter()
        .zip(totals.responses)
}
