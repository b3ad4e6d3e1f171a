//! The screen, letter by letter. `WEIR_BLESS=1` writes what is there now.

use std::path::Path;
use std::sync::Arc;

use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use weir_debug::listing::Symbols;
use weir_debug::screen::{Pressed, View, action, draw};
use weir_guest::debug::{Code, Value};

use super::{MODULE, session};

const COLUMNS: u16 = 120;
const ROWS: u16 = 36;

fn view(export: &str, arguments: &[Value]) -> View<'static> {
    let code = Code::read(wat::parse_str(MODULE).unwrap()).unwrap();
    let symbols = Symbols::new(Arc::new(code), None);
    View::new(
        session(export, arguments),
        symbols,
        &format!("module.wasm {export}"),
    )
}

/// Presses keys one after the other, as somebody does who waits for each.
fn press(view: &mut View<'_>, keys: &str) {
    for key in keys.chars() {
        let code = match key {
            '\n' => KeyCode::Enter,
            letter => KeyCode::Char(letter),
        };
        let pressed = action(view, KeyEvent::new(code, KeyModifiers::NONE));
        assert_eq!(view.act(pressed), Pressed::Stay);
        view.session.wait();
        view.refresh();
    }
}

#[track_caller]
fn check(view: &mut View<'_>, name: &str) {
    view.refresh();
    let mut terminal = Terminal::new(TestBackend::new(COLUMNS, ROWS)).unwrap();
    terminal.draw(|frame| draw(frame, view)).unwrap();
    let buffer = terminal.backend().buffer();
    let rows = buffer.content().chunks(COLUMNS.into()).map(|row| {
        let row: String = row.iter().map(ratatui::buffer::Cell::symbol).collect();
        format!("{}\n", row.trim_end())
    });
    let shown: String = rows.collect();
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/all")
        .join(name);
    if std::env::var_os("WEIR_BLESS").is_some() {
        std::fs::write(&path, &shown).unwrap();
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(shown, expected, "{}", path.display());
}

#[test]
fn a_recursive_call_is_shown() {
    let mut view = view("factorial", &[Value::I64(5)]);
    press(&mut view, "g30\n");
    check(&mut view, "factorial.txt");
}

#[test]
fn memory_and_host_are_shown() {
    let mut view = view("write", &[Value::I32(16)]);
    press(&mut view, "sssnnssss");
    check(&mut view, "write.txt");
}

#[test]
fn a_trap_is_shown() {
    let mut view = view("trap", &[Value::I32(0)]);
    press(&mut view, "c");
    check(&mut view, "trap.txt");
}

#[test]
fn keys_are_explained() {
    let mut view = view("trap", &[Value::I32(0)]);
    press(&mut view, "?");
    check(&mut view, "keys.txt");
}

#[test]
fn what_is_not_there_is_said() {
    let mut view = view("trap", &[Value::I32(0)]);
    press(&mut view, "/nothing\n");
    check(&mut view, "not-there.txt");
}
