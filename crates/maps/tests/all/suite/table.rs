//! The suite as a table: `docs/maps-suite.md` says which back end passes which row.
//!
//! Whoever runs all rows of a back end holds what it saw against the back end's column. With
//! `WEIR_BLESS=1` the column is written instead.

use std::fmt::Write as _;
use std::fs::{File, OpenOptions};
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};

use super::Row;

/// The table, whichever crate the test is of.
const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/maps-suite.md");
const HELD: &str = "yes";
const LEFT_OUT: &str = "–";

/// The names of some rows.
pub(crate) fn names<B>(rows: &[Row<B>]) -> Vec<&'static str> {
    rows.iter().map(|(name, _)| *name).collect()
}

/// Runs rows of a back end, and holds them against its column.
pub(crate) fn check_all<B: Default>(back_end: &str, rows: &[Row<B>]) {
    let made = B::default();
    for (_, row) in rows {
        row(&made);
    }
    check(back_end, &names(rows));
}

/// Holds the names of the rows that a back end has just passed against its column.
pub(crate) fn check(back_end: &str, passed: &[&str]) {
    let mut file = OpenOptions::new()
        .read(true)
        .write(std::env::var_os("WEIR_BLESS").is_some())
        .open(FILE)
        .unwrap_or_else(|error| panic!("{FILE}: {error}"));
    if std::env::var_os("WEIR_BLESS").is_none() {
        let table = Table::read(&mut file);
        let column = table.column(back_end);
        let told = "`WEIR_BLESS=1` writes the column anew";
        assert_eq!(column, cells(passed), "{FILE}, column {back_end}: {told}");
        return;
    }
    // Others write their columns at the same time.
    file.lock().unwrap();
    let mut table = Table::read(&mut file);
    table.put(back_end, cells(passed));
    file.seek(SeekFrom::Start(0)).unwrap();
    file.set_len(0).unwrap();
    file.write_all(table.text().as_bytes()).unwrap();
}

/// Of every row of the suite, whether it is among these.
fn cells(passed: &[&str]) -> Vec<(String, String)> {
    let all = crate::suite::with_rows!(named { () });
    let known = |name: &&&str| !all.contains(name);
    assert_eq!(passed.iter().find(known), None, "no row of the suite");
    let cell = |name: &&str| {
        let held = if passed.contains(name) {
            HELD
        } else {
            LEFT_OUT
        };
        (title(name), held.to_owned())
    };
    all.iter().map(cell).collect()
}

/// A row's name for people: `scans::pages_come_in_order` is *scans: pages come in order*.
fn title(name: &str) -> String {
    name.replace("::", ": ").replace('_', " ")
}

/// The file, in pieces.
struct Table {
    before: String,
    columns: Vec<String>,
    rows: Vec<Vec<String>>,
    after: String,
}

impl Table {
    fn read(file: &mut File) -> Self {
        let mut text = String::new();
        file.read_to_string(&mut text).unwrap();
        let begin = text.find("\n| row |").expect("a table of rows") + 1;
        let end = text[begin..]
            .find("\n\n")
            .map_or(text.len(), |at| begin + at + 1);
        let mut lines = text[begin..end].lines().map(cells_of);
        let columns = lines.next().unwrap_or_default();
        Self {
            before: text[..begin].to_owned(),
            columns,
            rows: lines.skip(1).collect(),
            after: text[end..].to_owned(),
        }
    }

    /// What it says of each row.
    fn column(&self, back_end: &str) -> Vec<(String, String)> {
        let place = self.columns.iter().position(|it| it == back_end);
        let place = place.unwrap_or_else(|| panic!("{FILE} has no column {back_end}"));
        let cell = |row: &Vec<String>| (row[0].clone(), row[place].clone());
        self.rows.iter().map(cell).collect()
    }

    fn put(&mut self, back_end: &str, cells: Vec<(String, String)>) {
        let place = self.columns.iter().position(|it| it == back_end);
        let place = place.unwrap_or_else(|| {
            self.columns.push(back_end.to_owned());
            self.columns.len() - 1
        });
        let mut rows = std::mem::take(&mut self.rows);
        let width = self.columns.len();
        self.rows = cells
            .into_iter()
            .map(|(title, cell)| {
                let known = rows.iter().position(|row| row[0] == title);
                let mut row = known.map_or_else(|| vec![title], |at| rows.swap_remove(at));
                row.resize(width, String::new());
                row[place] = cell;
                row
            })
            .collect();
    }

    fn text(&self) -> String {
        let mut text = self.before.clone();
        let line = |cells: &[String]| format!("| {} |\n", cells.join(" | "));
        text += &line(&self.columns);
        let _ = writeln!(text, "|{}", "---|".repeat(self.columns.len()));
        self.rows.iter().for_each(|row| text += &line(row));
        text + &self.after
    }
}

fn cells_of(line: &str) -> Vec<String> {
    let line = line.trim_matches('|');
    line.split('|').map(|cell| cell.trim().to_owned()).collect()
}
