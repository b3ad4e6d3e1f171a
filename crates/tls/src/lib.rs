//! Encrypted connections to servers of others: who is trusted, and what went wrong.
//!
//! Invariants: a certificate is always checked, for the name that was asked for, against [`Trust`];
//! nothing turns that off. Whoever is refused learns why as a [`Failure`].

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

pub use rustls::pki_types::ServerName;
pub use tokio_rustls::client::TlsStream;

/// Who may sign certificates of servers, and how connections to them are made. Cheap to clone, shared
/// by all workers with the sessions that servers let us resume.
#[derive(Clone)]
pub struct Trust {
    connector: TlsConnector,
    signers: usize,
}

/// Why trust cannot be established.
#[derive(Debug, thiserror::Error)]
pub enum TrustError {
    /// A file of certificates cannot be used.
    #[error("trust.files: {}: {why}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        why: String,
    },
    /// The library refuses to work.
    #[error("no encryption: {0}")]
    Library(String),
}

/// Why a connection is not encrypted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// The server's certificate is not accepted.
    #[error("the server's certificate is refused: {0}")]
    Certificate(String),
    /// The server ended it.
    #[error("the server refused the encryption: {name} (alert {code})")]
    Alert {
        /// Its number in RFC 8446, section 6.
        code: u8,
        /// Its name there.
        name: String,
    },
    /// What came is no TLS, or not of a version that is spoken here.
    #[error("TLS failed: {0}")]
    Protocol(String),
    /// The connection broke.
    #[error("the connection broke while it was being encrypted: {0}")]
    Broken(String),
}

impl Trust {
    /// Reads what the operator trusts. Takes milliseconds.
    ///
    /// # Errors
    /// [`TrustError`]. That the system has no certificates is none: see [`Self::signers`].
    pub fn load(settings: &weir_model::Trust) -> Result<Self, TrustError> {
        let mut roots = RootCertStore::empty();
        if settings.system {
            // A system has certificates that nobody can read; they sign nothing then.
            let found = rustls_native_certs::load_native_certs();
            roots.add_parsable_certificates(found.certs);
        }
        for path in &settings.files {
            add(&mut roots, path).map_err(|why| TrustError::File {
                path: path.clone(),
                why,
            })?;
        }
        let signers = roots.len();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let client = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| TrustError::Library(error.to_string()))?;
        let mut client = client.with_root_certificates(roots).with_no_client_auth();
        // All that is spoken inside.
        client.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self {
            connector: TlsConnector::from(Arc::new(client)),
            signers,
        })
    }

    /// How many signers are trusted; 0: no certificate will do.
    #[must_use]
    pub fn signers(&self) -> usize {
        self.signers
    }

    /// Encrypts a connection to the server of this name, for HTTP/1.1.
    ///
    /// # Errors
    /// [`Failure`].
    pub async fn encrypt(
        &self,
        name: &ServerName<'static>,
        stream: TcpStream,
    ) -> Result<TlsStream<TcpStream>, Failure> {
        let connecting = self.connector.connect(name.clone(), stream);
        connecting.await.map_err(|error| Failure::of(&error))
    }
}

impl fmt::Debug for Trust {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Trust")
            .field("signers", &self.signers)
            .finish_non_exhaustive()
    }
}

/// Adds all certificates of a file.
fn add(roots: &mut RootCertStore, path: &Path) -> Result<(), String> {
    let before = roots.len();
    let read = CertificateDer::pem_file_iter(path).map_err(|error| error.to_string())?;
    for certificate in read {
        let certificate = certificate.map_err(|error| error.to_string())?;
        let added = roots.add(certificate);
        added.map_err(|error| error.to_string())?;
    }
    if roots.len() == before {
        return Err("there is no certificate in it".to_owned());
    }
    Ok(())
}

/// What a certificate must be made out to, for a host of a URI; `None`: none could be.
#[must_use]
pub fn server_name(host: &str) -> Option<ServerName<'static>> {
    let host = host.strip_prefix('[').unwrap_or(host);
    let host = host.strip_suffix(']').unwrap_or(host);
    let host = host.strip_suffix('.').unwrap_or(host);
    ServerName::try_from(host.to_owned()).ok()
}

impl Failure {
    /// What an error of a connection means.
    fn of(error: &io::Error) -> Self {
        let inner = error.get_ref().and_then(|inner| inner.downcast_ref());
        match inner {
            Some(rustls::Error::InvalidCertificate(why)) => Self::Certificate(why.to_string()),
            Some(rustls::Error::NoCertificatesPresented) => {
                Self::Certificate("it has shown none".to_owned())
            }
            Some(rustls::Error::AlertReceived(alert)) => Self::Alert {
                code: u8::from(*alert),
                name: format!("{alert:?}"),
            },
            Some(rustls::Error::InvalidMessage(why)) => Self::Protocol(format!(
                "what the server sends is no TLS ({why:?}); perhaps it speaks plain HTTP"
            )),
            Some(other) => Self::Protocol(other.to_string()),
            None if error.kind() == io::ErrorKind::UnexpectedEof => {
                Self::Protocol("the server ended the connection in the handshake".to_owned())
            }
            None => Self::Broken(error.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(error: rustls::Error) -> Failure {
        Failure::of(&io::Error::new(io::ErrorKind::InvalidData, error))
    }

    #[test]
    fn failures_are_told_apart() {
        let expired = rustls::Error::InvalidCertificate(rustls::CertificateError::Expired);
        assert!(matches!(of(expired), Failure::Certificate(why) if why.contains("Expired")));
        let alert = rustls::Error::AlertReceived(rustls::AlertDescription::HandshakeFailure);
        let code = 40;
        let name = "HandshakeFailure".to_owned();
        assert_eq!(of(alert), Failure::Alert { code, name });
        let reset = io::Error::from(io::ErrorKind::ConnectionReset);
        assert!(matches!(Failure::of(&reset), Failure::Broken(_)));
        let end = io::Error::from(io::ErrorKind::UnexpectedEof);
        assert!(matches!(Failure::of(&end), Failure::Protocol(_)));
    }

    #[test]
    fn names_are_those_of_certificates() {
        let dns = |text: &str| matches!(server_name(text), Some(ServerName::DnsName(_)));
        let ip = |text: &str| matches!(server_name(text), Some(ServerName::IpAddress(_)));
        assert!(dns("a.example") && dns("a.example.") && dns("a_b.example"));
        assert!(ip("127.0.0.1") && ip("[::1]") && ip("::1"));
        assert!(server_name("").is_none() && server_name("a b").is_none());
    }

    #[test]
    fn a_file_without_certificates_is_refused() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
        let settings = |file: &str| weir_model::Trust {
            system: false,
            files: vec![file.into()],
        };
        let refused = Trust::load(&settings(path)).unwrap_err().to_string();
        assert!(refused.contains("no certificate in it"), "{refused}");
        let missing = Trust::load(&settings("/nowhere.pem")).unwrap_err();
        assert!(missing.to_string().contains("/nowhere.pem"), "{missing}");
        let nobody = weir_model::Trust {
            system: false,
            files: Vec::new(),
        };
        assert_eq!(Trust::load(&nobody).unwrap().signers(), 0);
    }
}
