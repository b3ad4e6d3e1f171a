//! The operator's HTTP server: a page, health, metrics, statistics, the configuration, the log level.
//!
//! It shows no secrets and changes nothing but the log level. Invariants: one exchange per
//! connection, each within [`limits::ADMIN_EXCHANGE_TIME`]; at most
//! [`limits::ADMIN_CONNECTIONS_MAX`] connections. It needs a runtime of its own, so that a busy
//! gateway can still be looked at.

mod answer;
mod guard;
mod site;

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time;
use weir_model::{Site, limits};

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
}

/// Serves until `shutdown` completes, then lets exchanges in flight end.
pub async fn serve(
    listener: TcpListener,
    observe: Arc<dyn Observe>,
    shutdown: impl Future<Output = ()>,
) {
    let mut shutdown = pin!(shutdown);
    let mut exchanges = JoinSet::new();
    loop {
        let is_full = exchanges.len() >= limits::ADMIN_CONNECTIONS_MAX;
        tokio::select! {
            () = &mut shutdown => break,
            Some(_) = exchanges.join_next(), if !exchanges.is_empty() => {}
            accepted = accept(&listener), if !is_full => match accepted {
                Ok(stream) => {
                    exchanges.spawn(exchange(stream, Arc::clone(&observe)));
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
async fn exchange(stream: TcpStream, observe: Arc<dyn Observe>) {
    let service = service_fn(move |request: hyper::Request<hyper::body::Incoming>| {
        let answer = answer::answer(&request.into_parts().0, observe.as_ref());
        async move { Ok::<_, Infallible>(answer) }
    });
    let connection = http1::Builder::new()
        .keep_alive(false)
        .timer(TokioTimer::new())
        .header_read_timeout(limits::ADMIN_EXCHANGE_TIME)
        .serve_connection(TokioIo::new(stream), service);
    match time::timeout(limits::ADMIN_EXCHANGE_TIME, connection).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::debug!(%error, "an exchange on the admin address failed"),
        Err(_) => tracing::debug!("an exchange on the admin address took too long"),
    }
}

#[cfg(test)]
mod tests;
