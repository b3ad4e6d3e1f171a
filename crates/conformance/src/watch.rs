//! Sees to it that no program of the kit outlives it, however the kit ends.

use std::io::Write;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Mutex};

use crate::trouble::Trouble;
use crate::wire::locked;

/// Reads `+pid` and `-pid` until the kit's end of the pipe closes, then kills what is left.
const SCRIPT: &str = r#"trap '' INT TERM HUP
left=" "
while read -r line; do
  pid=${line#?}
  case $line in
    +*) left="$left$pid " ;;
    -*) left="${left%% $pid *} ${left#* $pid }" ;;
  esac
done
for pid in $left; do kill -9 "$pid" 2>/dev/null; done"#;

/// A helper process that survives the kit just long enough. Cheap to clone.
#[derive(Clone)]
pub struct Watch(Arc<Mutex<Pipe>>);

struct Pipe {
    input: Option<ChildStdin>,
    guard: Child,
}

impl Watch {
    /// Starts the helper process.
    ///
    /// # Errors
    /// If there is no `sh`.
    pub fn start() -> Result<Self, Trouble> {
        let mut guard = Command::new("sh")
            .args(["-c", SCRIPT])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|source| Trouble::Start {
                program: "sh".to_owned(),
                source,
            })?;
        let input = guard.stdin.take();
        Ok(Self(Arc::new(Mutex::new(Pipe { input, guard }))))
    }

    /// Starts a program that ends with its value.
    pub(crate) fn spawn(&self, command: &mut Command) -> Result<Program, Trouble> {
        let child = command.spawn().map_err(|source| Trouble::Start {
            program: command.get_program().to_string_lossy().into_owned(),
            source,
        })?;
        self.tell('+', child.id());
        Ok(Program {
            child,
            watch: self.clone(),
        })
    }

    fn tell(&self, sign: char, pid: u32) {
        if let Some(input) = &mut locked(&self.0).input {
            // A helper that is gone cannot help; programs still end with their values.
            let _ = writeln!(input, "{sign}{pid}");
        }
    }
}

impl Drop for Pipe {
    fn drop(&mut self) {
        self.input = None;
        let _ = self.guard.wait();
    }
}

/// A running program; it is killed with this value.
pub(crate) struct Program {
    pub(crate) child: Child,
    watch: Watch,
}

impl Program {
    /// Asks it to end as an operator does, by SIGTERM.
    pub(crate) fn terminate(&self) {
        let pid = self.child.id().to_string();
        // One that has ended already is what is wanted.
        let _ = Command::new("kill")
            .args(["-TERM", &pid])
            .stderr(Stdio::null())
            .status();
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // A program that has ended already is what is wanted.
        let _ = self.child.kill();
        let _ = self.child.wait();
        self.watch.tell('-', self.child.id());
    }
}
