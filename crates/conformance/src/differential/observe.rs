//! Plays trials on a host, and compares what two hosts showed.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::{Map, Value as Json};

use super::trial::Trial;
use crate::client::Client;
use crate::guest;
use crate::host::{Cluster, Ear, Heard, Host, Place, Stage, Start};
use crate::server::{Running, dead_address};
use crate::statement::{Filter, Message, Protocol, Scene, Seen, Server, When};
use crate::trouble::Trouble;
use crate::watch::Watch;
use crate::wire::{eventually, locked};

/// What answers callouts: after all pieces of the exchange have come, so that nothing races.
pub(super) const SIDE: &str = "||||||||||||||||HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\nx-u: side\r\n\r\n4\r\nside\r\n|0\r\n\r\n";
/// How long a client that hesitates waits after its first piece: until callouts are answered.
pub(super) const HESITATION: Duration = Duration::from_millis(700);
/// Headers that hosts add or leave out as they like.
const OWN: [&str; 8] = [
    "date",
    "server",
    "x-request-id",
    "connection",
    "keep-alive",
    "transfer-encoding",
    "x-envoy-upstream-service-time",
    "x-forwarded-proto",
];
/// How many trials of a batch are played at a time.
const PLAYERS: usize = 12;

/// How slowly a trial is played.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    /// Between two pieces of the request.
    piece: Duration,
    /// Until a response that does not come is given up.
    patience: Duration,
    /// After the end of the exchange, until its last log line.
    settle: Duration,
}

impl Pace {
    pub(super) const QUICK: Self = Self {
        piece: Duration::from_millis(15),
        patience: Duration::from_millis(1500),
        settle: Duration::from_millis(40),
    };
    pub(super) const SLOW: Self = Self {
        piece: Duration::from_millis(30),
        patience: Duration::from_millis(2500),
        settle: Duration::from_millis(120),
    };
}

/// What one host showed of one trial.
#[derive(Clone, Debug, Default)]
pub(super) struct Observed {
    pub(super) response: Message,
    pub(super) upstream: Vec<Seen>,
    /// Lines of each filter.
    pub(super) lines: Vec<Vec<String>>,
    /// Status, details and flags of each line of the access log.
    pub(super) access: Vec<[String; 3]>,
    pub(super) has_died: bool,
}

/// How two observations differ: what, and what each host showed.
pub(super) fn differences((one, other): &(Observed, Observed)) -> Vec<(String, [String; 2])> {
    let mut found = Vec::new();
    let mut compare = |what: &str, one: String, other: String| {
        if one != other {
            found.push((what.to_owned(), [one, other]));
        }
    };
    let both = |show: &dyn Fn(&Observed) -> String| (show(one), show(other));
    let mut each = |what: &str, show: &dyn Fn(&Observed) -> String| {
        let (one, other) = both(show);
        compare(what, one, other);
    };
    each("the host", &|seen| {
        let word = if seen.has_died { "ended" } else { "runs" };
        word.to_owned()
    });
    each("response", &|seen| {
        let response = &seen.response;
        let end = match (response.is_late, response.was_cut) {
            (true, _) => "did not end in time",
            (false, true) => "was cut off",
            (false, false) => "was whole",
        };
        format!("{} {:?}, {end}", response.status, response.body)
    });
    each("response headers", &|seen| normal(&seen.response.head));
    each("response trailers", &|seen| normal(&seen.response.trailers));
    each("requests upstream", &|seen| {
        let requests = seen.upstream.iter().map(|request| {
            let first = request.head.lines().next().unwrap_or_default();
            let end = if request.is_whole {
                "whole"
            } else {
                "not whole"
            };
            format!("{first} {:?} {end}", request.body)
        });
        requests.collect::<Vec<_>>().join("; ")
    });
    each("headers upstream", &|seen| {
        let heads = seen.upstream.iter().map(|request| normal(&request.head));
        heads.collect::<Vec<_>>().join("; ")
    });
    each("trailers upstream", &|seen| {
        let trailers = seen
            .upstream
            .iter()
            .map(|request| normal(&request.trailers));
        trailers.collect::<Vec<_>>().join("; ")
    });
    for index in 0..one.lines.len().max(other.lines.len()) {
        each(&format!("log of f{index}"), &|seen| {
            seen.lines
                .get(index)
                .map_or_else(String::new, |lines| lines.join("\n"))
        });
    }
    each("access log", &|seen| {
        let lines = seen.access.iter().map(|line| line.join(" "));
        lines.collect::<Vec<_>>().join("; ")
    });
    found
}

/// Headers by name: the order of different names is the host's own affair.
fn normal(head: &str) -> String {
    let mut headers: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for line in head.lines() {
        let Some((name, value)) = line.split_once(": ").or_else(|| line.split_once(':')) else {
            continue;
        };
        let name = name.to_ascii_lowercase();
        if !OWN.contains(&name.as_str()) && !name.contains(' ') {
            headers.entry(name).or_default().push(value.trim());
        }
    }
    let headers = headers
        .iter()
        .map(|(name, values)| format!("{name}: {}", values.join(" | ")));
    headers.collect::<Vec<_>>().join(", ")
}

/// Plays trials on a host, in one process as long as it lives: a trial that ends it is found by
/// playing halves.
pub(super) fn observe(
    trials: &[Trial],
    host: &Host,
    pace: Pace,
    watch: &Watch,
) -> Result<Vec<Observed>, Trouble> {
    let observed = in_one_process(trials, host, pace, watch)?;
    let has_died = observed.iter().any(|observed| observed.has_died);
    if !has_died || trials.len() == 1 {
        return Ok(observed);
    }
    let (first, second) = trials.split_at(trials.len() / 2);
    let mut observed = observe(first, host, pace, watch)?;
    observed.extend(observe(second, host, pace, watch)?);
    Ok(observed)
}

fn in_one_process(
    trials: &[Trial],
    host: &Host,
    pace: Pace,
    watch: &Watch,
) -> Result<Vec<Observed>, Trouble> {
    let failed = |error: std::io::Error| Trouble::Host(error.to_string());
    let folder = tempfile::tempdir().map_err(failed)?;
    let side = Running::start(
        &Server::raw(SIDE.to_owned(), When::AfterBody),
        "side",
        watch,
    )?;
    let mut clusters = vec![
        cluster("side".to_owned(), side.addresses.clone()),
        cluster("dead".to_owned(), vec![dead_address().map_err(failed)?]),
    ];
    let mut ups = Vec::new();
    let mut listeners = Vec::new();
    for (index, trial) in trials.iter().enumerate() {
        let when = if trial.answer.is_early {
            When::AfterHead
        } else {
            When::AfterBody
        };
        let up = Running::start(&Server::raw(trial.answer.text(), when), "up", watch)?;
        let name = format!("up{index}");
        clusters.push(cluster(name.clone(), up.addresses.clone()));
        listeners.push(Place {
            name: format!("l{index}"),
            upstream: name,
        });
        ups.push(up);
    }
    let scene = scene(trials)?;
    let stage = Stage::new(&scene, folder.path(), clusters, listeners, watch)?;
    let mut live = match host.start(&stage)? {
        Start::Live(live) => live,
        Start::Refused(heard) => {
            return Err(Trouble::Host(format!(
                "refused: {}",
                heard.other.join("\n")
            )));
        }
        Start::NotApplicable(why) => return Err(Trouble::Host(why)),
    };
    let next = AtomicUsize::new(0);
    let responses: Mutex<BTreeMap<usize, Message>> = Mutex::default();
    let (ear, addresses) = (live.ear.clone(), live.addresses.clone());
    std::thread::scope(|scope| {
        for _ in 0..PLAYERS.min(trials.len()) {
            scope.spawn(|| {
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    let Some(trial) = trials.get(index) else {
                        return;
                    };
                    let response = exchange(trial, addresses[index], pace);
                    locked(&responses).insert(index, response.unwrap_or_default());
                    over(&scene, index, &ear, pace);
                }
            });
        }
    });
    let has_died = live.end().is_some();
    let responses = locked(&responses);
    let observed = (0..trials.len()).map(|index| Observed {
        response: responses.get(&index).cloned().unwrap_or_default(),
        upstream: ups[index].record.seen(),
        has_died,
        ..heard(&scene, index, &ear)
    });
    Ok(observed.collect())
}

fn cluster(name: String, addresses: Vec<SocketAddr>) -> Cluster {
    Cluster {
        name,
        addresses,
        is_http2: false,
    }
}

/// One scene with the filters of all trials.
fn scene(trials: &[Trial]) -> Result<Scene, Trouble> {
    let mut scene = Scene::empty();
    for (group, trial) in trials.iter().enumerate() {
        for (index, script) in trial.filters.iter().enumerate() {
            let code = guest::compile(script.abi, &script.text()).map_err(|flaw| {
                Trouble::Host(format!("a random script: {}\n{}", flaw.what, script.text()))
            })?;
            let mut filter = Filter::plain(format!("t{group}f{index}"), code);
            filter.group = group;
            filter.stops_iteration = script.stops_iteration;
            scene.filters.push(filter);
        }
    }
    Ok(scene)
}

/// Plays the client's part.
fn exchange(trial: &Trial, address: SocketAddr, pace: Pace) -> Option<Message> {
    let mut client = Client::connect(address, pace.patience).ok()?;
    for (index, piece) in trial.request.pieces().iter().enumerate() {
        match index {
            0 => {}
            1 if trial.request.hesitates => std::thread::sleep(HESITATION),
            _ => std::thread::sleep(pace.piece),
        }
        client.send(piece);
    }
    if trial.request.breaks_off {
        std::thread::sleep(pace.piece);
        client.hang_up();
        return None;
    }
    let response = client.response(false);
    client.hang_up();
    Some(response)
}

/// Waits until the first filter of a trial has seen the end, and the access log has it.
fn over(scene: &Scene, group: usize, ear: &Ear, pace: Pace) {
    let first = scene
        .filters
        .iter()
        .position(|filter| filter.group == group);
    eventually(pace.patience, || {
        let heard = ear.heard();
        let mut lines = heard.lines.get(first?)?.iter();
        let has_ended = lines.any(|line| line.starts_with("delete "));
        let is_noted = accesses(&heard, group).next().is_some();
        (has_ended && is_noted).then_some(())
    });
    std::thread::sleep(pace.settle);
}

/// The lines of the access log that are of a trial.
fn accesses(heard: &Heard, group: usize) -> impl Iterator<Item = &Map<String, Json>> {
    let listener = format!("l{group}");
    heard
        .access
        .iter()
        .filter(move |line| line.get("listener").and_then(Json::as_str) == Some(listener.as_str()))
}

/// The lines of a trial.
fn heard(scene: &Scene, group: usize, ear: &Ear) -> Observed {
    let heard = ear.heard();
    let filters = scene.filters.iter().zip(&heard.lines);
    let lines = filters.filter(|(filter, _)| filter.group == group);
    let field = |line: &Map<String, Json>, name: &str| match line.get(name) {
        None | Some(Json::Null) => "-".to_owned(),
        Some(Json::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    };
    Observed {
        lines: lines.map(|(_, lines)| lines.clone()).collect(),
        access: accesses(&heard, group)
            .map(|line| ["status", "details", "flags"].map(|name| field(line, name)))
            .collect(),
        ..Observed::default()
    }
}

impl Server {
    /// One server of HTTP/1 with an answer.
    fn raw(answer: String, when: When) -> Self {
        Self {
            protocol: Protocol::Http1,
            when,
            answer: crate::statement::Answer::Raw(vec![answer]),
            endpoints: 1,
        }
    }
}
