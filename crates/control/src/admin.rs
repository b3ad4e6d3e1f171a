//! The operator's HTTP server: a page, health, metrics, statistics, the configuration, the log level.
//!
//! It shows no secrets, and changes nothing but the log level and entries of shared maps. Invariants:
//! one exchange per connection, each within [`limits::ADMIN_EXCHANGE_TIME`] unless it follows the
//! changes of a map; at most [`limits::ADMIN_CONNECTIONS_MAX`] connections. It needs a runtime of its own, so that a busy
//! gateway can still be looked at.

mod answer;
pub mod client;
mod guard;
pub mod maps;
pub mod query;
mod site;

use std::cell::Cell;
use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinSet, LocalSet};
use tokio::time;
use weir_bindgen::typed::Typed;
use weir_model::{Site, limits};

use maps::Watches;

/// Pause after a failed accept: usually file descriptors are short, and trying at once cannot help.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// How long exchanges in flight may take after the order to stop.
const DRAIN_TIME: Duration = Duration::from_secs(1);

/// What the server shows and sets. Calls must return fast: they run on the server's thread.
pub trait Observe: Send + Sync + 'static {
    /// Facts and counters. The page shows plain values as tiles, objects as lists, and arrays of
    /// objects as tables, under the names of their keys; the keys are the implementation's choice.
    fn stats(&self) -> serde_json::Value;
    /// The same in Prometheus's text format 0.0.4.
    fn metrics(&self) -> String;
    /// Whether every listener accepts and every filter has started.
    fn is_ready(&self) -> bool;
    /// What a plugin touched or was refused, as YAML that fits into its configuration; `None`:
    /// there is no such plugin.
    fn touched(&self, plugin: &str) -> Option<String>;
    /// The configuration that is being served.
    fn site(&self) -> Arc<Site>;
    /// What is logged: of the gateway, of all plugins, and of single ones.
    fn log(&self) -> serde_json::Value;
    /// Sets from which level on lines of a plugin are written, or of all that have no level of their
    /// own.
    ///
    /// # Errors
    /// If there is no such plugin or level: why.
    fn set_plugin_log(&self, plugin: Option<&str>, level: &str) -> Result<(), String>;
    /// Sets what is logged.
    ///
    /// # Errors
    /// If the text is no filter: why.
    fn set_log(&self, filter: &str) -> Result<(), String>;
    /// The shared maps; `None`: there are none to be shown.
    fn maps(&self) -> Option<weir_maps::Engine>;
    /// What keys and values of a map are; `None`: bytes.
    fn typed_map(&self, map: &str) -> Option<Arc<Typed>>;
}

/// Serves until `shutdown` completes, then lets exchanges in flight end. Not `Send`: maps are
/// reached from the thread that this runs on.
pub async fn serve(
    listener: TcpListener,
    observe: Arc<dyn Observe>,
    shutdown: impl Future<Output = ()>,
) {
    let local = LocalSet::new();
    local
        .run_until(accept_all(listener, observe, shutdown))
        .await;
}

async fn accept_all(
    listener: TcpListener,
    observe: Arc<dyn Observe>,
    shutdown: impl Future<Output = ()>,
) {
    let watches = Watches::default();
    let mut shutdown = pin!(shutdown);
    let mut exchanges = JoinSet::new();
    loop {
        let is_full = exchanges.len() >= limits::ADMIN_CONNECTIONS_MAX;
        tokio::select! {
            () = &mut shutdown => break,
            Some(_) = exchanges.join_next(), if !exchanges.is_empty() => {}
            accepted = accept(&listener), if !is_full => match accepted {
                Ok(stream) => {
                    let exchange = exchange(stream, Arc::clone(&observe), watches.clone());
                    exchanges.spawn_local(exchange);
                }
                Err(error) => {
                    tracing::warn!(%error, "the admin address cannot accept a connection");
                    time::sleep(ACCEPT_PAUSE).await;
                }
            },
        }
    }
    drop(listener);
    // Those that take longer are cut when the set is dropped.
    let _ = time::timeout(DRAIN_TIME, async {
        while exchanges.join_next().await.is_some() {}
    })
    .await;
}

async fn accept(listener: &TcpListener) -> io::Result<TcpStream> {
    listener.accept().await.map(|(stream, _)| stream)
}

/// One request and its answer.
async fn exchange(stream: TcpStream, observe: Arc<dyn Observe>, watches: Watches) {
    // Whether the answer takes as long as the client wants.
    let follows = Rc::new(Cell::new(false));
    let noted = Rc::clone(&follows);
    let service = service_fn(move |request: hyper::Request<hyper::body::Incoming>| {
        let (observe, watches) = (Arc::clone(&observe), watches.clone());
        let noted = Rc::clone(&noted);
        async move {
            let answer = answer::answer(request, observe.as_ref(), &watches).await;
            noted.set(matches!(answer.body(), http_body_util::Either::Right(_)));
            Ok::<_, Infallible>(answer)
        }
    });
    let connection = http1::Builder::new()
        .keep_alive(false)
        .timer(TokioTimer::new())
        .header_read_timeout(limits::ADMIN_EXCHANGE_TIME)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = pin!(connection);
    let outcome = match time::timeout(limits::ADMIN_EXCHANGE_TIME, connection.as_mut()).await {
        Err(_) if follows.get() => Ok(connection.await),
        outcome => outcome,
    };
    match outcome {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::debug!(%error, "an exchange on the admin address failed"),
        Err(_) => tracing::debug!("an exchange on the admin address took too long"),
    }
}

#[cfg(test)]
mod tests;
