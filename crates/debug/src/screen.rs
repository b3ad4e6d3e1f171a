//! `weir debug`: a session in a terminal.
//!
//! [`view`] is what there is to see, [`draw`] puts it on the screen, [`keys`] says what a key does,
//! and the loop here carries it out.

mod draw;
mod keys;
mod view;

use std::io;
use std::time::Duration;

use ratatui::crossterm::event::{self, Event, KeyEventKind};
use ratatui::crossterm::terminal;

use crate::listing::Symbols;
use crate::session::{Now, Session};
pub use draw::draw;
pub use keys::{Action, Pressed, action};
pub use view::{Prompt, View};

/// How long a key is waited for while the guest runs.
const LOOK: Duration = Duration::from_millis(20);

/// Shows a session until somebody leaves it.
///
/// # Errors
///
/// When there is no terminal.
pub fn run(session: Session, symbols: Symbols<'_>, title: &str) -> io::Result<()> {
    if !io::IsTerminal::is_terminal(&io::stdout()) || !io::IsTerminal::is_terminal(&io::stdin()) {
        return Err(io::Error::other("this is no terminal"));
    }
    // Asked for before the screen changes: where it fails, nothing must be put back.
    terminal::size()?;
    let mut screen = ratatui::try_init()?;
    let mut view = View::new(session, symbols, title);
    let ended = watch(&mut screen, &mut view);
    ratatui::restore();
    ended
}

fn watch(screen: &mut ratatui::DefaultTerminal, view: &mut View<'_>) -> io::Result<()> {
    loop {
        view.refresh();
        screen.draw(|frame| draw(frame, view))?;
        let is_running = matches!(view.session.now(), Now::Running);
        if is_running && !event::poll(LOOK)? {
            continue;
        }
        let Event::Key(key) = event::read()? else {
            continue;
        };
        if key.kind == KeyEventKind::Release {
            continue;
        }
        let pressed = action(view, key);
        if view.act(pressed) == Pressed::Leave {
            return Ok(());
        }
    }
}
