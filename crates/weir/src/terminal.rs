//! Where people read: two streams, with colours or without.
//!
//! Invariant: a reader that went away (`weir inspect … | head`) is no error and gets no message.

use std::borrow::Cow;
use std::error::Error;
use std::fmt::Write as _;
use std::io::{self, ErrorKind, IsTerminal as _, Write};

use weir_model::text;

use crate::cli::Colour;
use crate::failure::{Failure, Outcome};

/// Both output streams of a command.
pub struct Terminal<'a> {
    out: Stream<'a>,
    err: Stream<'a>,
}

/// One stream.
struct Stream<'a> {
    writer: Box<dyn Write + 'a>,
    has_colour: bool,
}

/// What a piece of text is, which decides its colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    /// A title.
    Title,
    /// Something good.
    Good,
    /// Something wrong.
    Bad,
    /// Something doubtful.
    Doubtful,
    /// Something beside the point.
    Faint,
}

impl Tone {
    const fn code(self) -> &'static str {
        match self {
            Self::Title => "1",
            Self::Good => "32",
            Self::Bad => "1;31",
            Self::Doubtful => "33",
            Self::Faint => "2",
        }
    }
}

impl<'a> Terminal<'a> {
    /// The process's streams.
    #[must_use]
    pub fn of_process(colour: Colour) -> Terminal<'static> {
        // https://no-color.org: any text but the empty one counts.
        let is_refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let has_colour = |is_terminal: bool| match colour {
            Colour::Auto => is_terminal && !is_refused,
            Colour::Always => true,
            Colour::Never => false,
        };
        Terminal {
            out: Stream {
                has_colour: has_colour(io::stdout().is_terminal()),
                writer: Box::new(io::BufWriter::new(io::stdout())),
            },
            err: Stream {
                has_colour: has_colour(io::stderr().is_terminal()),
                writer: Box::new(io::stderr()),
            },
        }
    }

    /// Streams of a test, without colours.
    #[must_use]
    pub fn plain(out: impl Write + 'a, err: impl Write + 'a) -> Self {
        let stream = |writer| Stream {
            writer,
            has_colour: false,
        };
        Self {
            out: stream(Box::new(out)),
            err: stream(Box::new(err)),
        }
    }

    /// Writes to standard output.
    ///
    /// # Errors
    /// If the stream fails otherwise than by its reader's end.
    pub fn print(&mut self, text: &str) -> Result<(), Failure> {
        self.out.write(text.as_bytes()).map_err(Failure::Output)
    }

    /// Writes bytes to standard output.
    ///
    /// # Errors
    /// As [`Terminal::print`].
    pub fn print_bytes(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        self.out.write(bytes).map_err(Failure::Output)
    }

    /// Writes to standard error. If that fails, there is nobody left to tell.
    pub fn remark(&mut self, text: &str) {
        let _ = self.err.write(text.as_bytes());
    }

    /// Writes bytes to standard error, as [`Terminal::remark`].
    pub(crate) fn remark_bytes(&mut self, bytes: &[u8]) {
        let _ = self.err.write(bytes);
    }

    /// Writes a line to standard error, its first word in the colour of a tone.
    pub(crate) fn note(&mut self, tone: Tone, first: &str, rest: &str) {
        let first = self.err.paint(tone, first).into_owned();
        self.remark(&format!("{first} {}\n", printable(rest)));
    }

    /// Text for standard output in the colour of its tone.
    #[must_use]
    pub fn paint<'t>(&self, tone: Tone, text: &'t str) -> Cow<'t, str> {
        self.out.paint(tone, text)
    }

    /// Whether standard error has colours.
    #[must_use]
    pub fn has_colour_on_stderr(&self) -> bool {
        self.err.has_colour
    }

    /// Tells a failure with its causes and a hint.
    pub(crate) fn failure(&mut self, failure: &Failure) -> Outcome {
        if !failure.is_told() {
            let mut text = self.err.paint(Tone::Bad, "weir:").into_owned();
            let mut told = failure.to_string();
            let _ = write!(text, " {}", printable(&told));
            let mut cause = failure.source();
            while let Some(error) = cause {
                let reason = error.to_string();
                // Some errors say their cause themselves.
                if !told.ends_with(&reason) {
                    let _ = write!(text, "\n  because: {}", printable(&reason));
                    told = reason;
                }
                cause = error.source();
            }
            if let Some(hint) = failure.hint() {
                let _ = write!(
                    text,
                    "\n  {} {hint}",
                    self.err.paint(Tone::Doubtful, "hint:")
                );
            }
            text.push('\n');
            // What was printed before comes first; if it cannot be, that is not today's failure.
            let _ = self.flush();
            self.remark(&text);
        }
        Outcome::Problem
    }

    /// Tells what the argument parser has to say: help, version or wrong use.
    pub(crate) fn parser_message(&mut self, message: &clap::Error) -> Outcome {
        let (stream, outcome) = if message.use_stderr() {
            (&mut self.err, Outcome::WrongUse)
        } else {
            (&mut self.out, Outcome::Fine)
        };
        let rendered = message.render();
        let text = if stream.has_colour {
            rendered.ansi().to_string()
        } else {
            rendered.to_string()
        };
        let _ = stream.write(text.as_bytes());
        outcome
    }

    /// Writes to standard output at once. Says whether somebody still reads there.
    ///
    /// # Errors
    /// As [`Terminal::print`].
    pub(crate) fn tell(&mut self, text: &str) -> Result<bool, Failure> {
        let writer = &mut self.out.writer;
        let told = writer.write_all(text.as_bytes());
        match told.and_then(|()| writer.flush()) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(false),
            Err(error) => Err(Failure::Output(error)),
        }
    }

    /// Writes out what is buffered.
    pub(crate) fn flush(&mut self) -> Result<(), Failure> {
        quietly(self.out.writer.flush()).map_err(Failure::Output)
    }
}

impl Stream<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        quietly(self.writer.write_all(bytes))
    }

    fn paint<'t>(&self, tone: Tone, text: &'t str) -> Cow<'t, str> {
        if self.has_colour {
            Cow::Owned(format!("\x1b[{}m{text}\x1b[0m", tone.code()))
        } else {
            Cow::Borrowed(text)
        }
    }
}

/// A reader that went away is no error.
fn quietly(written: io::Result<()>) -> io::Result<()> {
    match written {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        other => other,
    }
}

/// Text that has names of others in it, without what a terminal would obey. It may have lines.
#[must_use]
pub fn printable(text: &str) -> Cow<'_, str> {
    let is_harmful = |c: char| text::is_misread(c) && c != '\n';
    if !text.contains(is_harmful) {
        return Cow::Borrowed(text);
    }
    let shown = text.chars().map(|c| {
        if is_harmful(c) {
            char::REPLACEMENT_CHARACTER
        } else {
            c
        }
    });
    Cow::Owned(shown.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A pipe whose reader is gone.
    struct Gone;

    impl Write for Gone {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(ErrorKind::BrokenPipe.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Err(ErrorKind::BrokenPipe.into())
        }
    }

    #[test]
    fn a_reader_that_went_away_is_no_error() {
        let mut terminal = Terminal::plain(Gone, Gone);
        assert!(terminal.print("text").is_ok());
        assert!(terminal.flush().is_ok());
    }

    #[test]
    fn colours_only_when_wanted() {
        let mut terminal = Terminal::plain(Vec::new(), Vec::new());
        assert_eq!(terminal.paint(Tone::Good, "yes"), "yes");
        terminal.out.has_colour = true;
        assert_eq!(terminal.paint(Tone::Good, "yes"), "\x1b[32myes\x1b[0m");
    }

    #[test]
    fn escape_sequences_of_others_are_not_obeyed() {
        assert_eq!(printable("plain\n"), "plain\n");
        assert_eq!(printable("a\x1b[31mb"), "a\u{fffd}[31mb");
    }
}
