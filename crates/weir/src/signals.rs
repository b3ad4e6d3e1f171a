//! SIGTERM and SIGINT: the first drains the gateway, the second ends it at once.

use std::io;
use std::thread;
use std::time::Duration;

use tokio::runtime;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;

use crate::failure::Outcome;

/// Signals this soon after the first one are the same wish.
const REPEAT: Duration = Duration::from_millis(500);

/// What the operator wants of the running gateway.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Phase {
    /// Go on.
    #[default]
    Serving,
    /// Accept nothing new, finish what is in flight, end.
    Draining,
}

/// Starts to listen on a thread of its own. The receiver may be cloned into any runtime.
///
/// # Errors
/// If the system refuses the thread, the runtime or the signal handlers.
pub fn listen() -> io::Result<watch::Receiver<Phase>> {
    let runtime = runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let (terminate, interrupt) = {
        let _entered = runtime.enter();
        (
            signal(SignalKind::terminate())?,
            signal(SignalKind::interrupt())?,
        )
    };
    let (sender, receiver) = watch::channel(Phase::Serving);
    thread::Builder::new()
        .name("weir-signals".to_owned())
        .spawn(move || runtime.block_on(obey(terminate, interrupt, sender)))?;
    Ok(receiver)
}

async fn obey(mut terminate: Signal, mut interrupt: Signal, phase: watch::Sender<Phase>) {
    next(&mut terminate, &mut interrupt).await;
    tracing::info!("asked to stop: finishing the requests in flight");
    phase.send_replace(Phase::Draining);
    // Some supervisors signal a process and its group at once: that is one wish, not two.
    tokio::time::sleep(REPEAT).await;
    terminate = renewed(SignalKind::terminate(), terminate);
    interrupt = renewed(SignalKind::interrupt(), interrupt);
    tracing::info!("still finishing requests; a further signal stops at once");
    next(&mut terminate, &mut interrupt).await;
    tracing::warn!("asked to stop again: stopping with requests in flight");
    std::process::exit(i32::from(Outcome::Problem.code()));
}

/// A listener that does not know of earlier signals; the old one, if the system refuses.
fn renewed(kind: SignalKind, old: Signal) -> Signal {
    signal(kind).unwrap_or(old)
}

async fn next(terminate: &mut Signal, interrupt: &mut Signal) {
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_first_signal_drains() {
        let mut phase = listen().expect("signals can be received");
        assert_eq!(*phase.borrow(), Phase::Serving);
        let killed = std::process::Command::new("sh")
            .args(["-c", "kill -TERM $PPID"])
            .status();
        assert!(killed.is_ok_and(|status| status.success()));
        let runtime = runtime::Builder::new_current_thread()
            .build()
            .expect("a runtime");
        runtime.block_on(phase.changed()).expect("the sender lives");
        assert_eq!(*phase.borrow(), Phase::Draining);
    }
}
