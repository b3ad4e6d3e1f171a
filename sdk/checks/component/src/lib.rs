//! A component that does with maps what it is told, one line at a time, and tells what came of it.
//!
//! A line is a function and its arguments. What a function gives (a map, a scanner, a bucket) gets the
//! next number of all, and is named by it: `open cache 3` answers `0`, `get 0 key` what map 0 has
//! there. `x*70000` is an argument of 70000 letters, `-` is none, or no bytes. A refusal is answered as
//! `error` and its name.
#![expect(clippy::same_length_and_capacity, reason = "generated code has it")]

mod keyvalue;
mod maps;
mod show;

use std::cell::RefCell;

wit_bindgen::generate!({
    world: "weir:checks/player",
    path: ["../../../wit", "wit"],
    generate_all,
});

struct Player;

export!(Player);

/// What functions have given, by number.
#[derive(Default)]
pub(crate) struct Things {
    things: Vec<Option<Thing>>,
}

/// What a line can name.
pub(crate) enum Thing {
    Map(wasi_map::map::maps::Map),
    Scanner(wasi_map::map::maps::Scanner),
    Watcher(wasi_map::map::maps::Watcher),
    Pollable(wasi::io::poll::Pollable),
    Bucket(wasi::keyvalue0_2_0_draft::store::Bucket),
    Bucket2(wasi::keyvalue0_2_0_draft2::store::Bucket),
    Cas(wasi::keyvalue0_2_0_draft2::atomics::Cas),
}

thread_local! {
    static THINGS: RefCell<Things> = RefCell::default();
}

/// What a line gives: text, or why it was not played.
pub(crate) type Played = Result<String, String>;

impl Things {
    pub(crate) fn add(&mut self, thing: Thing) -> String {
        self.things.push(Some(thing));
        (self.things.len() - 1).to_string()
    }

    pub(crate) fn get(&self, number: &str) -> Result<&Thing, String> {
        let thing = number
            .parse()
            .ok()
            .and_then(|place: usize| self.things.get(place));
        let thing = thing.and_then(Option::as_ref);
        thing.ok_or_else(|| format!("the line names no thing: {number}"))
    }

    pub(crate) fn take(&mut self, number: &str) -> Result<Thing, String> {
        self.get(number)?;
        let place: Option<usize> = number.parse().ok();
        let thing = place.and_then(|place| self.things.get_mut(place));
        thing
            .and_then(Option::take)
            .ok_or_else(|| "nothing".to_owned())
    }
}

/// The words of a line, one by one.
pub(crate) struct Words<'a>(std::str::SplitWhitespace<'a>);

impl<'a> Words<'a> {
    pub(crate) fn next(&mut self) -> Result<&'a str, String> {
        self.0
            .next()
            .ok_or_else(|| "the line is too short".to_owned())
    }

    /// Bytes or a text.
    pub(crate) fn text(&mut self) -> Result<String, String> {
        let word = self.next()?;
        let times = word.split_once('*').and_then(|(letter, times)| {
            let times: usize = times.parse().ok()?;
            Some(letter.repeat(times))
        });
        Ok(match (word, times) {
            ("-", _) => String::new(),
            (_, Some(text)) => text,
            (word, None) => word.to_owned(),
        })
    }

    pub(crate) fn bytes(&mut self) -> Result<Vec<u8>, String> {
        self.text().map(String::into_bytes)
    }

    pub(crate) fn number<N: std::str::FromStr>(&mut self) -> Result<N, String> {
        let word = self.next()?;
        word.parse().map_err(|_| format!("{word} is no number"))
    }

    /// A number, or `-`.
    pub(crate) fn perhaps<N: std::str::FromStr>(&mut self) -> Result<Option<N>, String> {
        match self.next()? {
            "-" => Ok(None),
            word => word
                .parse()
                .map(Some)
                .map_err(|_| format!("{word} is no number")),
        }
    }

    pub(crate) fn rest(&mut self) -> Vec<&'a str> {
        self.0.by_ref().collect()
    }
}

impl Guest for Player {
    fn play(line: String) -> String {
        let mut words = Words(line.split_whitespace());
        THINGS.with_borrow_mut(|things| {
            let played = words
                .next()
                .and_then(|function| match function.split_once('.') {
                    Some(("kv", function)) => keyvalue::play(things, function, &mut words),
                    Some(("kv2", function)) => keyvalue::play2(things, function, &mut words),
                    Some(_) | None => maps::play(things, function, &mut words),
                });
            played.unwrap_or_else(|why| format!("! {why}"))
        })
    }
}
