//! `weir map`: looks into the shared maps of a running gateway.

use std::fmt::Write as _;
use std::io::Read as _;

use base64ct::{Base64, Encoding as _};
use serde_json::Value;
use weir_control::admin::client::{self, Answer};
use weir_control::admin::query::encoded;

use crate::cli::{Key, Map, MapCommand, MapSet};
use crate::failure::{Failure, Outcome};
use crate::terminal::{Terminal, printable};

/// Carries out one command.
pub(super) fn run(arguments: &Map, terminal: &mut Terminal<'_>) -> Result<Outcome, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let runtime = runtime.map_err(|error| Failure::Said(format!("cannot begin: {error}")))?;
    runtime.block_on(Asking { arguments }.carry_out(terminal))
}

/// A command and where it goes.
struct Asking<'a> {
    arguments: &'a Map,
}

impl Asking<'_> {
    async fn carry_out(&self, terminal: &mut Terminal<'_>) -> Result<Outcome, Failure> {
        match &self.arguments.command {
            MapCommand::Ls => self.list(terminal).await?,
            MapCommand::Stat { map } => {
                let numbers = self.json(("GET", map, "", ""), Vec::new()).await?;
                terminal.print(&self.numbers(&numbers))?;
            }
            MapCommand::Get { map, key, raw } => {
                let query = key_query(key) + typed(*raw);
                let what = ("GET", map.as_str(), "/entry", &*query);
                let answer = self.ask(what, Vec::new()).await?;
                let is_json = answer.header("content-type") == Some("application/json");
                let value = whole(answer).await?;
                match serde_json::from_slice::<Value>(&value) {
                    Ok(json) if is_json => terminal.print(&format!("{json:#}\n"))?,
                    Ok(_) | Err(_) => terminal.print_bytes(&value)?,
                }
            }
            MapCommand::Set(set) => self.set(set, terminal).await?,
            MapCommand::Delete {
                map,
                key,
                if_version,
            } => {
                let mut query = key_query(key);
                if let Some(version) = if_version {
                    let _ = write!(query, "&if_version={version}");
                }
                let what = ("DELETE", map.as_str(), "/entry", &*query);
                self.json(what, Vec::new()).await?;
            }
            MapCommand::Scan { map, prefix, limit } => {
                self.scan((map, prefix), limit.unwrap_or(usize::MAX), terminal)
                    .await?;
            }
            MapCommand::Watch { map, prefix } => self.watch((map, prefix), terminal).await?,
        }
        Ok(Outcome::Fine)
    }

    async fn list(&self, terminal: &mut Terminal<'_>) -> Result<(), Failure> {
        let all = self.json(("GET", "", "", ""), Vec::new()).await?;
        if self.arguments.json {
            return terminal.print(&format!("{all:#}\n"));
        }
        let maps = all["maps"].as_array().map_or(&[][..], Vec::as_slice);
        let rows: Vec<[String; 6]> = std::iter::once(
            ["map", "entries", "bytes", "of", "version", "watches"].map(str::to_owned),
        )
        .chain(maps.iter().map(|map| {
            let shown = |key: &str| plain(&map[key]);
            [
                shown("name"),
                shown("entries"),
                shown("bytes"),
                shown("bytes_max"),
                shown("version"),
                shown("watches"),
            ]
        }))
        .collect();
        terminal.print(&table(&rows))?;
        for map in maps.iter().filter(|map| map["error"].is_string()) {
            let (name, error) = (plain(&map["name"]), plain(&map["error"]));
            terminal.print(&format!("{name}: {error}\n"))?;
        }
        let anonymous = plain(&all["anonymous"]["maps"]);
        terminal.print(&format!(
            "and {anonymous} that guests have made for themselves\n"
        ))
    }

    fn numbers(&self, numbers: &Value) -> String {
        if self.arguments.json {
            return format!("{numbers:#}\n");
        }
        let fields = numbers.as_object().into_iter().flatten();
        let rows: Vec<[String; 2]> = fields
            .filter(|(_, value)| !value.is_null() && **value != "")
            .map(|(name, value)| [name.clone(), plain(value)])
            .collect();
        table(&rows)
    }

    async fn set(&self, set: &MapSet, terminal: &mut Terminal<'_>) -> Result<(), Failure> {
        let value = match (&set.value, &set.file, set.number) {
            (Some(value), ..) => value.clone().into_bytes(),
            (None, Some(file), _) => {
                std::fs::read(file).map_err(|error| Failure::read(file, error))?
            }
            (None, None, Some(number)) => self.number(&set.map, number).await?,
            (None, None, None) => {
                let mut value = Vec::new();
                let read = std::io::stdin().lock().read_to_end(&mut value);
                read.map_err(Failure::Input)?;
                value
            }
        };
        let mut query = key_query(&set.key) + typed(set.raw);
        if set.if_absent {
            query.push_str("&if_absent");
        }
        if let Some(version) = set.if_version {
            let _ = write!(query, "&if_version={version}");
        }
        if let Some(ttl) = set.ttl {
            let _ = write!(query, "&ttl_ms={ttl}");
        }
        let what = ("PUT", set.map.as_str(), "/entry", &*query);
        let stored = self.json(what, value).await?;
        if self.arguments.json {
            return terminal.print(&format!("{stored:#}\n"));
        }
        terminal.print(&format!("version {}\n", plain(&stored["version"])))
    }

    /// A counter: as bytes, or as JSON where the map says what it holds.
    async fn number(&self, map: &str, number: i64) -> Result<Vec<u8>, Failure> {
        let numbers = self.json(("GET", map, "", ""), Vec::new()).await?;
        Ok(match &numbers["declared"] {
            Value::Null => number.to_le_bytes().to_vec(),
            _ => number.to_string().into_bytes(),
        })
    }

    async fn scan(
        &self,
        (map, prefix): (&str, &str),
        mut limit: usize,
        terminal: &mut Terminal<'_>,
    ) -> Result<(), Failure> {
        let prefix = encoded(prefix.as_bytes());
        let mut after = String::new();
        while limit > 0 {
            let query = format!("prefix={prefix}&limit={limit}&typed{after}");
            let what = ("GET", map, "/entries", &*query);
            let page = self.json(what, Vec::new()).await?;
            let entries = page["entries"].as_array().map_or(&[][..], Vec::as_slice);
            for entry in entries {
                terminal.print(&self.entry(entry))?;
            }
            limit = limit.saturating_sub(entries.len());
            let last = entries.last().and_then(|entry| bytes_of(&entry["key"]));
            match last {
                Some(key) if page["more"] == true => after = format!("&after={}", encoded(&key)),
                _ => break,
            }
        }
        Ok(())
    }

    fn entry(&self, entry: &Value) -> String {
        if self.arguments.json {
            return format!("{entry}\n");
        }
        let version = plain(&entry["version"]);
        if entry["typed"]["value"] != Value::Null {
            let (key, value) = typed_of(entry);
            return format!("{key}  {value}  (version {version})\n");
        }
        let value = match (&entry["counter"], &entry["map"]) {
            (Value::Number(number), _) => format!("counter {number}"),
            (_, Value::Number(map)) => format!("map {map}"),
            _ if entry["region"].is_object() => {
                format!("region of {} bytes", plain(&entry["region"]["bytes"]))
            }
            _ => shown(&entry["value"]),
        };
        let key = shown(&entry["key"]);
        format!("{key}  {value}  (version {version})\n")
    }

    async fn watch(
        &self,
        (map, prefix): (&str, &str),
        terminal: &mut Terminal<'_>,
    ) -> Result<(), Failure> {
        let query = format!("prefix={}&typed", encoded(prefix.as_bytes()));
        let mut changes = self.ask(("GET", map, "/watch", &query), Vec::new()).await?;
        let mut line = Vec::new();
        while let Some(bytes) = changes.next().await.map_err(Failure::Admin)? {
            line.extend_from_slice(&bytes);
            while let Some(end) = line.iter().position(|byte| *byte == b'\n') {
                let rest = line.split_off(end + 1);
                let change = serde_json::from_slice(&line).unwrap_or(Value::Null);
                if !terminal.tell(&self.change(&change))? {
                    return Ok(());
                }
                line = rest;
            }
        }
        Ok(())
    }

    fn change(&self, change: &Value) -> String {
        if self.arguments.json {
            return format!("{change}\n");
        }
        let event = plain(&change["event"]);
        if change["typed"]["key"] != Value::Null {
            let (key, value) = typed_of(change);
            let value = match &change["typed"]["value"] {
                Value::Null => String::new(),
                _ => format!("  {value}"),
            };
            let version = plain(&change["version"]);
            return format!("{event}  {key}{value}  (version {version})\n");
        }
        match &change["key"] {
            Value::Null => format!("{event}\n"),
            key => format!(
                "{event}  {}  (version {})\n",
                shown(key),
                plain(&change["version"])
            ),
        }
    }

    async fn json(&self, what: (&str, &str, &str, &str), body: Vec<u8>) -> Result<Value, Failure> {
        let answer = whole(self.ask(what, body).await?).await?;
        serde_json::from_slice(&answer)
            .map_err(|error| Failure::Said(format!("the answer is no JSON: {error}")))
    }

    /// The body of an answer that is not a refusal.
    async fn ask(
        &self,
        (method, map, part, query): (&str, &str, &str, &str),
        body: Vec<u8>,
    ) -> Result<Answer, Failure> {
        let mut path = "/maps".to_owned();
        if !map.is_empty() {
            let _ = write!(path, "/{}", encoded(map.as_bytes()));
        }
        let scope = encoded(self.arguments.scope.as_bytes());
        let _ = write!(path, "{part}?scope={scope}&{query}");
        let admin = self.arguments.admin;
        let answer = client::ask(admin, (method, &path), body).await;
        let answer = answer.map_err(Failure::Admin)?;
        let status = answer.status();
        if status == 200 {
            return Ok(answer);
        }
        let told = whole(answer).await?;
        let told = String::from_utf8_lossy(&told);
        let told = told.trim_end();
        if status == 404 && told.starts_with("nothing here") {
            return Err(Failure::Said(format!(
                "the gateway at {admin} has no shared maps"
            )));
        }
        Err(Failure::Said(printable(told).into_owned()))
    }
}

async fn whole(answer: Answer) -> Result<Vec<u8>, Failure> {
    answer.whole().await.map_err(Failure::Admin)
}

fn key_query(key: &Key) -> String {
    if key.encoded {
        // What is no percent-encoding in it stays as it is.
        return format!("key={}", key.key.replace('&', "%26"));
    }
    format!("typed_key={}", encoded(key.key.as_bytes()))
}

/// Whether values are to be JSON where the gateway knows how.
const fn typed(is_raw: bool) -> &'static str {
    if is_raw { "" } else { "&typed" }
}

/// The bytes that a JSON value of the admin address stands for.
fn bytes_of(value: &Value) -> Option<Vec<u8>> {
    match value {
        Value::String(text) => Some(text.as_bytes().to_vec()),
        _ => Base64::decode_vec(value["base64"].as_str()?).ok(),
    }
}

/// Key and value as a map's declaration has them.
fn typed_of(entry: &Value) -> (String, String) {
    let key = match &entry["typed"]["key"] {
        Value::String(key) => key.escape_debug().to_string(),
        other => other.to_string(),
    };
    let value = printable(&entry["typed"]["value"].to_string()).into_owned();
    (key, value)
}

/// Bytes for people: text as it is, others escaped.
fn shown(value: &Value) -> String {
    bytes_of(value).map_or_else(|| plain(value), |bytes| bytes.escape_ascii().to_string())
}

fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => printable(text).into_owned(),
        Value::Null => "-".to_owned(),
        other => other.to_string(),
    }
}

/// Columns, as wide as they need to be.
fn table<const N: usize>(rows: &[[String; N]]) -> String {
    let width = |column: usize| rows.iter().map(|row| row[column].len()).max().unwrap_or(0);
    let widths: [usize; N] = std::array::from_fn(width);
    let mut text = String::new();
    for row in rows {
        let cells = row.iter().zip(widths);
        let line: Vec<String> = cells
            .map(|(cell, width)| format!("{cell:width$}"))
            .collect();
        let _ = writeln!(text, "{}", line.join("  ").trim_end());
    }
    text
}
