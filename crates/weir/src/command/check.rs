//! `weir check`: the configuration and every module it uses, judged; then every plugin is started
//! once in a VM that is thrown away, as a worker would start it.

mod grants;

use std::path::Path;

use serde_json::{Value, json};
use weir_guest::abi;
use weir_guest::inspect::{self, Report, Standing};
use weir_model::{
    Dialect, Filter, FilterUse, Module, ModuleSource, Name, Site, Strictness, one_line,
};

use super::suited::Suited;
use crate::cli::Check;
use crate::failure::{Failure, Outcome};
use crate::terminal::{Terminal, Tone, printable};

/// What was found in the modules of a configuration.
#[derive(Debug, Default)]
struct Findings {
    problems: Vec<Finding>,
    notes: Vec<Finding>,
}

/// One thing said of a module, or of a plugin that was started (then no module is named).
#[derive(Debug)]
struct Finding {
    module: String,
    text: String,
}

impl Finding {
    fn subject(&self) -> String {
        match self.module.as_str() {
            "" => "start".to_owned(),
            module => format!("module {module}"),
        }
    }
}

impl Findings {
    /// A name that is none would silently forbid what was meant.
    fn check_capabilities(&mut self, site: &Site) {
        let names = || {
            let functions = abi::functions().map(|function| function.capability);
            functions.chain(abi::CALLBACKS.iter().map(|callback| callback.name))
        };
        for filter in site.filters.values() {
            let names_of = filter.capabilities.iter().flatten();
            for name in names_of.filter(|name| !abi::is_capability(name)) {
                let meant = names().filter(|known| abi::is_capability(known));
                let meant = weir_control::nearest(name, meant)
                    .map_or_else(String::new, |meant| format!("; did you mean \"{meant}\"?"));
                self.problems.push(Finding {
                    module: filter.module.to_string(),
                    text: format!(
                        "filter {} lists the capability \"{name}\", but this host has no \
                         function or callback of that name{meant}",
                        filter.name
                    ),
                });
            }
        }
    }

    /// What only a start can tell: a plugin may refuse its configuration.
    fn start_plugins(&mut self, site: &Site) {
        // What plugins log while they start says why they refuse to.
        let log = tracing_subscriber::fmt()
            .with_writer(std::io::stderr)
            .with_ansi(false)
            .without_time()
            .with_max_level(tracing::Level::WARN)
            .finish();
        let tried =
            tracing::subscriber::with_default(log, || crate::gateway::try_out(site.clone()));
        if let Err(error) = tried {
            self.problems.push(Finding {
                module: String::new(),
                text: error.to_string(),
            });
        }
    }
}

/// Prints every problem, or that there is none.
pub(super) fn run(arguments: &Check, terminal: &mut Terminal<'_>) -> Result<Outcome, Failure> {
    let file = arguments.configuration.as_path();
    let loaded = match weir_control::load(file) {
        Ok(loaded) => loaded,
        Err(problems) if arguments.json => {
            return answer(&report_of_refusal(file, problems.json()), terminal);
        }
        Err(problems) => {
            let text = painted(&problems.to_string(), terminal);
            terminal.print(&text)?;
            return Ok(Outcome::Problem);
        }
    };
    let mut findings = inspect_modules(&loaded.site);
    findings.check_capabilities(&loaded.site);
    if findings.problems.is_empty() {
        findings.start_plugins(&loaded.site);
    }
    if arguments.json {
        let warnings = loaded
            .warnings
            .iter()
            .map(weir_control::Problem::json)
            .collect();
        return answer(&report(file, &loaded.site, warnings, &findings), terminal);
    }
    for warning in &loaded.warnings {
        let text = painted(&format!("{warning}\n"), terminal);
        terminal.print(&text)?;
    }
    print_findings(file, &loaded.site, &findings, terminal)
}

/// Problems in the terminal's colours: what is wrong stands out, and so do the carets below it.
fn painted(problems: &str, terminal: &Terminal<'_>) -> String {
    let mut text = String::new();
    let mut is_first = true;
    for line in problems.lines() {
        match line.split_once('^') {
            Some((margin, _)) if margin.trim_matches([' ', '\t']) == "|" => {
                text.push_str(margin);
                text.push_str(&terminal.paint(Tone::Bad, &line[margin.len()..]));
            }
            _ if is_first => text.push_str(&terminal.paint(Tone::Title, line)),
            _ => text.push_str(line),
        }
        text.push('\n');
        is_first = line.is_empty();
    }
    text
}

fn print_findings(
    file: &Path,
    site: &Site,
    findings: &Findings,
    terminal: &mut Terminal<'_>,
) -> Result<Outcome, Failure> {
    for note in &findings.notes {
        let label = terminal.paint(Tone::Doubtful, "warning:").into_owned();
        let text = one_line(&note.text);
        terminal.print(&format!(
            "{}: {label} {}: {text}\n",
            file.display(),
            note.subject()
        ))?;
    }
    for problem in &findings.problems {
        let label = terminal.paint(Tone::Bad, "problem:").into_owned();
        // What a start says may have lines of its own; names in it are escaped.
        let text = match problem.module.as_str() {
            "" => printable(&problem.text),
            _ => one_line(&problem.text),
        };
        terminal.print(&format!(
            "{}: {label} {}: {text}\n",
            file.display(),
            problem.subject()
        ))?;
    }
    if findings.problems.is_empty() {
        let verdict = terminal.paint(Tone::Good, "is fine").into_owned();
        terminal.print(&format!(
            "{} {verdict}: {}\n",
            file.display(),
            summary(site)
        ))?;
        Ok(Outcome::Fine)
    } else {
        terminal.print(&format!(
            "{}\n",
            counted(findings.problems.len(), "problem")
        ))?;
        Ok(Outcome::Problem)
    }
}

/// Reads every module, and judges it for each filter that uses it.
fn inspect_modules(site: &Site) -> Findings {
    let mut findings = Findings::default();
    for module in site.modules.values() {
        if is_of_functions(module, site) {
            // The start loads them, by the rules of their kind.
            judge_functions(module, site, &mut findings);
            continue;
        }
        match read(module) {
            Ok(report) => {
                let uses = site
                    .filters
                    .values()
                    .filter(|filter| filter.module == module.name);
                let uses: Vec<&Filter> = uses.collect();
                judge(module, &report, &uses, &mut findings);
                for filter in uses {
                    judge_use(&report, (site, &filter.name), module, &mut findings);
                    grants::judge(&report, filter, site, &mut findings);
                }
            }
            Err(text) => findings.problems.push(Finding {
                module: module.name.to_string(),
                text,
            }),
        }
    }
    findings
}

/// What functions of a module import, and are not granted.
fn judge_functions(module: &Module, site: &Site, findings: &mut Findings) {
    // What cannot be read is told by the start.
    let Some(suited) = read(module).ok().as_ref().and_then(Suited::of) else {
        return;
    };
    let functions = site.functions.values();
    for function in functions.filter(|function| function.module == module.name) {
        for need in suited.missing(&function.grants) {
            let name = &function.name;
            findings.notes.push(Finding {
                module: module.name.to_string(),
                text: format!("function {name} may ask for {need}; nothing of that is granted"),
            });
        }
    }
}

/// Whether functions use it, and no filter does.
fn is_of_functions(module: &Module, site: &Site) -> bool {
    let mut filters = site.filters.values();
    let mut functions = site.functions.values();
    functions.any(|function| function.module == module.name)
        && !filters.any(|filter| filter.module == module.name)
}

fn read(module: &Module) -> Result<Report, String> {
    let ModuleSource::File(path) = &module.source;
    let bytes = weir_proxy::gateway::read_module(path)
        .map_err(|error| format!("cannot read {}: {error}", path.display()))?;
    inspect::inspect(&bytes).map_err(|error| format!("{}: {error}", path.display()))
}

fn judge(module: &Module, report: &Report, uses: &[&Filter], findings: &mut Findings) {
    let finding = |text: &str| Finding {
        module: module.name.to_string(),
        text: text.to_owned(),
    };
    findings
        .problems
        .extend(report.in_weir.problems.iter().map(|text| finding(text)));
    findings
        .notes
        .extend(report.in_weir.notes.iter().map(|text| finding(text)));
    for filter in uses
        .iter()
        .filter(|filter| filter.strictness == Strictness::Strict)
    {
        let unknown: Vec<_> = report
            .all_imports()
            .filter(|(_, import)| match import.standing {
                Standing::Unknown | Standing::OtherVersion => true,
                Standing::OtherHost => filter.dialect == Dialect::Envoy,
                Standing::Known | Standing::WrongSignature { .. } => false,
            })
            .map(|(_, import)| format!("{}.{}", import.module, import.name))
            .collect();
        if !unknown.is_empty() {
            findings.problems.push(finding(&format!(
                "filter {} has strict_imports: true, and these imports are unknown: {}",
                filter.name,
                unknown.join(", ")
            )));
        }
    }
}

/// Tells a filter that cannot see what it is used for.
fn judge_use(
    report: &Report,
    (site, filter): (&Site, &Name),
    module: &Module,
    findings: &mut Findings,
) {
    let has = |uses: &[FilterUse]| uses.iter().any(|one| one.filter == *filter);
    let is_in_tcp = site
        .listeners
        .iter()
        .filter_map(|listener| listener.tcp.as_ref())
        .any(|tcp| has(&tcp.filters));
    let is_in_route = site
        .listeners
        .iter()
        .flat_map(|listener| &listener.routes)
        .any(|route| has(&route.filters));
    let what = if is_in_tcp && !report.sees_tcp() {
        "is used for TCP connections, but the module has no callback for them"
    } else if is_in_route && report.sees_tcp() && !report.sees_http() {
        "is used for HTTP, but the module only has callbacks for TCP connections"
    } else {
        return;
    };
    findings.notes.push(Finding {
        module: module.name.to_string(),
        text: format!("filter {filter} {what}"),
    });
}

/// Prints a JSON report; it says itself whether all is well.
fn answer(report: &Value, terminal: &mut Terminal<'_>) -> Result<Outcome, Failure> {
    super::print_json(report, terminal)?;
    let is_fine = report["ok"] == Value::Bool(true);
    Ok(if is_fine {
        Outcome::Fine
    } else {
        Outcome::Problem
    })
}

fn report_of_refusal(file: &Path, mut problems: Value) -> Value {
    let listed = problems["problems"].take();
    json!({
        "ok": false,
        "file": file.to_string_lossy(),
        "count": problems["count"],
        "problems": listed,
    })
}

fn report(file: &Path, site: &Site, warnings: Vec<Value>, findings: &Findings) -> Value {
    let of_module = |severity: &'static str| move |finding: &Finding| json!({ "severity": severity, "module": finding.module, "what": finding.text });
    let problems: Vec<Value> = findings.problems.iter().map(of_module("error")).collect();
    let notes = findings.notes.iter().map(of_module("warning"));
    json!({
        "ok": problems.is_empty(),
        "file": file.to_string_lossy(),
        "count": problems.len(),
        "problems": problems,
        "warnings": warnings.into_iter().chain(notes).collect::<Vec<_>>(),
        "summary": {
            "listeners": site.listeners.len(),
            "routes": routes(site),
            "clusters": site.clusters.len(),
            "modules": site.modules.len(),
            "filters": site.filters.len(),
            "functions": site.functions.len(),
            "background": site.background.len(),
        },
    })
}

/// `2 listeners, 5 routes, 1 cluster`: what there is of anything.
fn summary(site: &Site) -> String {
    let counts = [
        (site.listeners.len(), "listener"),
        (routes(site), "route"),
        (site.clusters.len(), "cluster"),
        (site.modules.len(), "module"),
        (site.filters.len(), "filter"),
        (site.functions.len(), "function"),
        (site.background.len(), "background plugin"),
    ];
    let parts: Vec<String> = counts
        .iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, noun)| counted(*count, noun))
        .collect();
    if parts.is_empty() {
        "it is empty".to_owned()
    } else {
        parts.join(", ")
    }
}

fn routes(site: &Site) -> usize {
    site.listeners
        .iter()
        .map(|listener| listener.routes.len())
        .sum()
}

fn counted(count: usize, noun: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {noun}{plural}")
}
