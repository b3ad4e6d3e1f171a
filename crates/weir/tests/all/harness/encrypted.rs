//! Servers of TLS with authorities of the test's own.

use std::io::Write as _;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use tempfile::NamedTempFile;
use tokio::io::{AsyncWriteExt as _, copy, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

/// Somebody who signs certificates.
pub(crate) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    file: NamedTempFile,
}

/// What is odd about a server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Odd {
    #[default]
    Nothing,
    /// Its certificate's time is over.
    Expired,
    /// It speaks HTTP/2 alone.
    Http2Only,
    /// It ends connections without saying so in TLS.
    Cutting,
}

/// A server of TLS before a plain one.
pub(crate) struct Encrypted {
    pub(crate) address: SocketAddr,
    accepted: Arc<AtomicUsize>,
    names: Arc<Mutex<Vec<Option<String>>>>,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let key = KeyPair::generate().expect("a key can be made");
        let mut params = CertificateParams::new(Vec::new()).expect("good names");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let name = &mut params.distinguished_name;
        name.push(DnType::CommonName, "an authority of a test");
        let own = params.self_signed(&key).expect("a certificate can be made");
        let mut file = NamedTempFile::new().expect("a file can be made");
        file.write_all(own.pem().as_bytes()).expect("it is written");
        Self {
            issuer: Issuer::new(params, key),
            file,
        }
    }

    /// The file of its certificate.
    pub(crate) fn file(&self) -> String {
        self.file.path().display().to_string()
    }

    /// Serves, as these names, what the plain server answers.
    pub(crate) fn serve(&self, names: &[&str], odd: Odd, plain: SocketAddr) -> Encrypted {
        let config = self.config(names, odd);
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        listener.set_nonblocking(true).expect("a socket");
        let server = Encrypted {
            address: listener.local_addr().expect("it is bound"),
            accepted: Arc::default(),
            names: Arc::default(),
        };
        let (accepted, seen) = (Arc::clone(&server.accepted), Arc::clone(&server.names));
        thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread();
            let runtime = { runtime }.enable_all().build().expect("a runtime");
            runtime.block_on(async {
                let listener = TcpListener::from_std(listener).expect("a socket");
                let acceptor = TlsAcceptor::from(Arc::new(config));
                while let Ok((stream, _)) = listener.accept().await {
                    accepted.fetch_add(1, Ordering::SeqCst);
                    let carried = carry(acceptor.clone(), stream, (plain, odd), seen.clone());
                    tokio::spawn(carried);
                }
            });
        });
        server
    }

    fn config(&self, names: &[&str], odd: Odd) -> ServerConfig {
        let names: Vec<String> = names.iter().map(ToString::to_string).collect();
        let mut params = CertificateParams::new(names).expect("good names");
        if odd == Odd::Expired {
            params.not_before = rcgen::date_time_ymd(2000, 1, 1);
            params.not_after = rcgen::date_time_ymd(2001, 1, 1);
        }
        let key = KeyPair::generate().expect("a key can be made");
        let signed = params.signed_by(&key, &self.issuer).expect("it is signed");
        let key = PrivateKeyDer::Pkcs8(key.serialize_der().into());
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("the versions are there")
            .with_no_client_auth()
            .with_single_cert(vec![signed.der().clone()], key)
            .expect("the key fits");
        config.alpn_protocols = match odd {
            Odd::Http2Only => vec![b"h2".to_vec()],
            _ => vec![b"h2".to_vec(), b"http/1.1".to_vec()],
        };
        config
    }
}

impl Encrypted {
    /// Connections so far.
    pub(crate) fn connections(&self) -> usize {
        self.accepted.load(Ordering::SeqCst)
    }

    /// Whom clients asked for, of those that agreed on HTTP/1.1.
    pub(crate) fn names(&self) -> Vec<Option<String>> {
        self.names.lock().expect("nothing panics here").clone()
    }
}

async fn carry(
    acceptor: TlsAcceptor,
    stream: TcpStream,
    (plain, odd): (SocketAddr, Odd),
    seen: Arc<Mutex<Vec<Option<String>>>>,
) -> std::io::Result<()> {
    let mut stream = acceptor.accept(stream).await?;
    let session = stream.get_ref().1;
    if session.alpn_protocol() == Some(b"http/1.1") {
        let name = session.server_name().map(ToOwned::to_owned);
        seen.lock().expect("nothing panics here").push(name);
    }
    let mut inner = TcpStream::connect(plain).await?;
    if odd != Odd::Cutting {
        return copy_bidirectional(&mut stream, &mut inner).await.map(drop);
    }
    let (mut from, mut to) = inner.split();
    let (mut requests, mut answers) = tokio::io::split(stream);
    tokio::select! {
        _ = copy(&mut requests, &mut to) => {}
        _ = copy(&mut from, &mut answers) => answers.flush().await?,
    }
    // The socket is closed, and nothing is said.
    Ok(())
}
