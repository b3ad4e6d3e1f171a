//! What keys do.

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::view::{Prompt, View};

/// What somebody wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// One instruction, into calls.
    Step,
    /// One instruction, over calls.
    Over,
    /// To the caller.
    Out,
    /// One instruction back.
    Back,
    /// On, to whatever stops it.
    Continue,
    /// To the beginning.
    Restart,
    /// Stop now.
    Pause,
    /// A breakpoint at the line that is selected, or none.
    Toggle,
    /// Stop at each call of the host, or not.
    HostCalls,
    /// Move the selected line of code.
    Line(i32),
    /// Show another call of the stack.
    Frame(i32),
    /// Move the window over memory by so many lines.
    Memory(i64),
    /// Ask for something.
    Ask(Prompt),
    /// A letter of an answer.
    Type(char),
    /// Take the last one away.
    Erase,
    /// The answer is complete.
    Answer,
    /// No answer; no help.
    Cancel,
    /// Show the keys.
    Help,
    /// Leave.
    Leave,
    /// Nothing.
    None,
}

/// Whether it goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pressed {
    /// It does.
    Stay,
    /// Somebody left.
    Leave,
}

/// The keys, for those who ask.
pub(super) const HELP: &[(&str, &str)] = &[
    ("s  →", "step: one instruction, into calls"),
    ("n", "next: one instruction, over calls"),
    ("o", "out: to the caller"),
    ("b  ←", "back: one instruction"),
    ("c", "continue, to the next breakpoint, trap or end"),
    ("p", "pause while it runs"),
    ("r", "restart"),
    ("g", "go to the instruction of a number"),
    ("e", "go on to the call of the host of a number"),
    ("↑ ↓ PgUp PgDn", "select a line of code"),
    ("t  Space", "breakpoint at the selected line, or none"),
    ("f", "breakpoint at the beginning of a function"),
    (
        "w",
        "stop when bytes of memory change: ADDRESS or ADDRESS,LENGTH",
    ),
    ("h", "stop at each call of the host, or not"),
    ("/", "search in the code"),
    ("< >", "callee, caller: their code, operands and locals"),
    ("m", "show memory at an address"),
    ("[ ]", "memory before, memory behind"),
    ("q", "leave"),
];

/// What a key means now.
#[must_use]
pub fn action(view: &View<'_>, key: KeyEvent) -> Action {
    if key.modifiers.contains(KeyModifiers::CONTROL) && key.code == KeyCode::Char('c') {
        return Action::Leave;
    }
    if view.shows_help {
        return Action::Cancel;
    }
    if view.prompt.is_some() {
        return match key.code {
            KeyCode::Char(letter) => Action::Type(letter),
            KeyCode::Backspace => Action::Erase,
            KeyCode::Enter => Action::Answer,
            KeyCode::Esc => Action::Cancel,
            _ => Action::None,
        };
    }
    match key.code {
        KeyCode::Char('s') | KeyCode::Right => Action::Step,
        KeyCode::Char('n') => Action::Over,
        KeyCode::Char('o') => Action::Out,
        KeyCode::Char('b') | KeyCode::Left => Action::Back,
        KeyCode::Char('c') => Action::Continue,
        KeyCode::Char('p') => Action::Pause,
        KeyCode::Char('r') => Action::Restart,
        KeyCode::Char('t' | ' ') => Action::Toggle,
        KeyCode::Char('h') => Action::HostCalls,
        KeyCode::Up => Action::Line(-1),
        KeyCode::Down => Action::Line(1),
        KeyCode::PageUp => Action::Line(-10),
        KeyCode::PageDown => Action::Line(10),
        KeyCode::Char('<') => Action::Frame(-1),
        KeyCode::Char('>') => Action::Frame(1),
        KeyCode::Char('[') => Action::Memory(-4),
        KeyCode::Char(']') => Action::Memory(4),
        KeyCode::Char('g') => Action::Ask(Prompt::Number),
        KeyCode::Char('e') => Action::Ask(Prompt::HostCall),
        KeyCode::Char('f') => Action::Ask(Prompt::Function),
        KeyCode::Char('w') => Action::Ask(Prompt::Watch),
        KeyCode::Char('m') => Action::Ask(Prompt::Memory),
        KeyCode::Char('/') => Action::Ask(Prompt::Search),
        KeyCode::Char('?') => Action::Help,
        KeyCode::Char('q') => Action::Leave,
        _ => Action::None,
    }
}
