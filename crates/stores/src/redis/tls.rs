//! Encrypted connections: who is trusted, and who the gateway is.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::{RedisConfigError, RedisTls};

/// What encrypts the connections of a back end.
#[derive(Clone)]
pub(super) struct Tls {
    connector: TlsConnector,
    /// The name that certificates must have; `None`: that of the address.
    name: Option<ServerName<'static>>,
}

impl Tls {
    /// Reads the files.
    pub(super) fn load(config: &RedisTls) -> Result<Self, RedisConfigError> {
        let name = config.name.as_deref().map(|name| {
            let named = ServerName::try_from(name.to_owned());
            named.map_err(|_| RedisConfigError::Tls {
                key: "name",
                why: format!("`{name}` is neither the name of a host nor an address"),
            })
        });
        let mut roots = RootCertStore::empty();
        for certificate in certificates(&config.ca, "ca")? {
            let added = roots.add(certificate);
            added.map_err(|error| refused("ca", &config.ca, &error))?;
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let client = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| refused("ca", &config.ca, &error))?
            .with_root_certificates(roots);
        let client = match &config.identity {
            None => client.with_no_client_auth(),
            Some((certificate, key)) => {
                let chain = certificates(certificate, "certificate")?;
                let private = PrivateKeyDer::from_pem_file(key);
                let private = private.map_err(|error| refused("key", key, &error))?;
                let client = client.with_client_auth_cert(chain, private);
                client.map_err(|error| refused("key", key, &error))?
            }
        };
        Ok(Self {
            connector: TlsConnector::from(Arc::new(client)),
            name: name.transpose()?,
        })
    }

    /// Encrypts a connection to `host:port`.
    pub(super) async fn encrypt(
        &self,
        stream: TcpStream,
        address: &str,
    ) -> Result<TlsStream<TcpStream>, String> {
        let name = if let Some(name) = &self.name {
            name.clone()
        } else {
            let host = address.rsplit_once(':').map_or(address, |(host, _)| host);
            let host = host.trim_start_matches('[').trim_end_matches(']');
            let named = ServerName::try_from(host.to_owned());
            named.map_err(|_| format!("{host} is no name that a certificate could have"))?
        };
        let encrypted = self.connector.connect(name, stream).await;
        encrypted.map_err(|error| format!("no encrypted connection: {error}"))
    }
}

fn certificates(
    path: &Path,
    key: &'static str,
) -> Result<Vec<CertificateDer<'static>>, RedisConfigError> {
    let read = CertificateDer::pem_file_iter(path).and_then(Iterator::collect);
    let certificates: Vec<_> = read.map_err(|error| refused(key, path, &error))?;
    if certificates.is_empty() {
        let why = format!("{}: there is no certificate in it", path.display());
        return Err(RedisConfigError::Tls { key, why });
    }
    Ok(certificates)
}

fn refused(key: &'static str, path: &Path, error: &dyn fmt::Display) -> RedisConfigError {
    let why = format!("{}: {error}", path.display());
    RedisConfigError::Tls { key, why }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}
