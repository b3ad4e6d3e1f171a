//! Opening connections: to a given address, or to the primary that sentinels know of.

use std::fmt;

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, ProtocolVersion, RedisConnectionInfo, Value as Reply, cmd};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use weir_model::limits::redis as limits;

use super::super::{Setup, script};

/// A connection, and what carries its bytes as long as it is polled.
pub(super) type Wire = (MultiplexedConnection, Driver);

/// See [`Wire`].
pub(super) type Driver = std::pin::Pin<Box<dyn Future<Output = ()>>>;

/// What is pushed on a connection that watches.
pub(super) type Pushed = Box<dyn Fn(redis::PushInfo) + Send + Sync>;

/// Where a connection goes.
#[derive(Clone, Debug)]
pub(super) enum Target {
    /// `host:port`.
    Fixed(String),
    /// To the primary of this name, wherever it is by now.
    Primary(String),
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fixed(address) => f.write_str(address),
            Self::Primary(name) => write!(f, "primary {name}"),
        }
    }
}

/// Opens a connection that is ready for requests: logged in, on the right database, to a primary,
/// and with all scripts loaded.
pub(super) async fn open(
    config: &Setup,
    target: &Target,
    pushed: Option<Pushed>,
) -> Result<Wire, String> {
    let opening = async {
        let address = match target {
            Target::Fixed(address) => address.clone(),
            Target::Primary(name) => primary(config, name).await?,
        };
        let wire = logged_in(config, &address, (&login(config), pushed)).await?;
        prepare(config, wire)
            .await
            .map_err(|error| format!("{address}: {error}"))
    };
    let opened = tokio::time::timeout(limits::CONNECT_TIME, opening).await;
    opened.unwrap_or_else(|_| {
        Err(format!(
            "{target}: no connection within {:?}",
            limits::CONNECT_TIME
        ))
    })
}

fn login(config: &Setup) -> RedisConnectionInfo {
    let login = login_of(config.username.as_deref(), config.password.as_deref());
    login.set_db(i64::from(config.database))
}

fn login_of(username: Option<&str>, password: Option<&str>) -> RedisConnectionInfo {
    let mut login = RedisConnectionInfo::default()
        .set_protocol(ProtocolVersion::RESP3)
        .set_lib_name("weir", env!("CARGO_PKG_VERSION"));
    if let Some(username) = username {
        login = login.set_username(username);
    }
    if let Some(password) = password {
        login = login.set_password(password);
    }
    login
}

/// A connection that is logged in, and encrypted if it is to be.
async fn logged_in(
    setup: &Setup,
    address: &str,
    (login, pushed): (&RedisConnectionInfo, Option<Pushed>),
) -> Result<Wire, String> {
    let opening = async {
        let stream = TcpStream::connect(address).await;
        let stream = stream.map_err(|error| error.to_string())?;
        stream
            .set_nodelay(true)
            .map_err(|error| error.to_string())?;
        match &setup.tls {
            None => over(stream, login, pushed).await,
            Some(tls) => over(tls.encrypt(stream, address).await?, login, pushed).await,
        }
    };
    opening.await.map_err(|error| format!("{address}: {error}"))
}

async fn over(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    login: &RedisConnectionInfo,
    pushed: Option<Pushed>,
) -> Result<Wire, String> {
    let mut settings = AsyncConnectionConfig::new()
        .set_response_timeout(None)
        .set_pipeline_buffer_size(limits::WRITE_QUEUE)
        .set_write_backpressure_boundary(limits::WRITE_BYTES);
    if let Some(pushed) = pushed {
        settings = settings.set_push_sender(move |push| {
            pushed(push);
            Ok::<(), ()>(())
        });
    }
    let opened = MultiplexedConnection::new_with_config(login, stream, settings).await;
    let (connection, driver) = opened.map_err(|error| error.to_string())?;
    Ok((connection, Box::pin(driver)))
}

/// Runs a command on a connection that nobody drives yet.
async fn ask(wire: &mut Wire, command: &redis::Cmd) -> Result<Reply, String> {
    let (connection, driver) = wire;
    tokio::select! {
        reply = connection.send_packed_command(command) => reply.map_err(|error| error.to_string()),
        () = driver => Err("the connection was closed".to_owned()),
    }
}

async fn prepare(config: &Setup, mut wire: Wire) -> Result<Wire, String> {
    let role = ask(&mut wire, &cmd("ROLE")).await?;
    let primary = match &role {
        Reply::Array(parts) => match parts.first() {
            Some(Reply::BulkString(role)) => role == b"master",
            _ => false,
        },
        _ => false,
    };
    // Nodes of a cluster say themselves, for each slot.
    if !primary && config.kind != super::super::RedisKind::Cluster {
        return Err("this is a replica, not a primary".to_owned());
    }
    for script in script::all() {
        let mut load = cmd("SCRIPT");
        load.arg("LOAD").arg(&script.source);
        ask(&mut wire, &load).await?;
    }
    Ok(wire)
}

/// Asks the sentinels, in the order of the configuration, where the primary is.
async fn primary(config: &Setup, name: &str) -> Result<String, String> {
    let user = config.sentinel_username.as_deref();
    let login = login_of(user, config.sentinel_password.as_deref());
    let mut last = String::new();
    for address in &config.addresses {
        // One that is silent must leave time for the others.
        let time = limits::CONNECT_TIME / 4;
        let asked = tokio::time::timeout(time, ask_sentinel(config, address, (&login, name))).await;
        match asked {
            Ok(Ok(primary)) => return Ok(primary),
            Ok(Err(error)) => last = error,
            Err(_) => last = format!("{address}: no answer within {time:?}"),
        }
    }
    Err(format!(
        "no sentinel knows the primary {name}; the last one: {last}"
    ))
}

async fn ask_sentinel(
    config: &Setup,
    address: &str,
    (login, name): (&RedisConnectionInfo, &str),
) -> Result<String, String> {
    let mut wire = logged_in(config, address, (login, None)).await?;
    let mut command = cmd("SENTINEL");
    command.arg("GET-MASTER-ADDR-BY-NAME").arg(name);
    match ask(&mut wire, &command).await? {
        Reply::Array(parts) => match parts.as_slice() {
            [Reply::BulkString(host), Reply::BulkString(port)] => {
                let (host, port) = (String::from_utf8_lossy(host), String::from_utf8_lossy(port));
                Ok(format!("{host}:{port}"))
            }
            _ => Err(format!("{address}: a strange answer")),
        },
        Reply::Nil => Err(format!("{address}: it does not know {name}")),
        Reply::ServerError(error) => Err(format!("{address}: {error}")),
        _ => Err(format!("{address}: a strange answer")),
    }
}
