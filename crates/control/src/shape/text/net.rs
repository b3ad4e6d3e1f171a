//! Texts of the network: addresses, hosts, endpoints.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use weir_model::{Endpoint, EndpointHost, HostPattern, HostRule};

use super::Grammar;

/// An address to listen at.
#[derive(Clone, Debug)]
pub(crate) struct Address(pub(crate) SocketAddr);

/// Servers, by name or address, and their port.
#[derive(Clone, Debug)]
pub(crate) struct HostGrantName {
    pub(crate) rule: HostRule,
    pub(crate) port: Option<u16>,
}

impl Grammar for Address {
    const TITLE: &'static str = "address";
    const PATTERN: &'static str =
        "^([0-9]{1,3}(\\.[0-9]{1,3}){3}|\\[[0-9A-Fa-f:.]+(%[0-9]+)?\\]):[0-9]{1,5}$";
    const EXPECTED: &'static str =
        "an IP address and a port such as 127.0.0.1:8080 or \"[::1]:8080\"";

    fn parse(text: &str) -> Result<Self, Option<String>> {
        text.parse().map(Self).map_err(|_| meant_address(text))
    }

    fn written(&self) -> String {
        self.0.to_string()
    }
}

fn meant_address(text: &str) -> Option<String> {
    let port = |port: &str| port.parse::<u16>().ok();
    if let Some(port) = port(text.trim_start_matches(':')) {
        return Some(format!("0.0.0.0:{port}"));
    }
    if let Ok(address) = text.parse::<Ipv4Addr>() {
        return Some(format!("{address}:8080"));
    }
    let (host, number) = text.rsplit_once(':')?;
    let number = port(number)?;
    match host {
        "localhost" => Some(format!("127.0.0.1:{number}")),
        "*" => Some(format!("0.0.0.0:{number}")),
        host => host
            .parse::<Ipv6Addr>()
            .ok()
            .map(|host| format!("[{host}]:{number}")),
    }
}

impl Grammar for HostPattern {
    const TITLE: &'static str = "host";
    const PATTERN: &'static str =
        "^((\\*\\.)?[0-9A-Za-z_-]+(\\.[0-9A-Za-z_-]+)*|\\[[0-9A-Fa-f:.]+\\])$";
    const EXPECTED: &'static str =
        "a host without port such as example.com, or \"*.example.com\" for all hosts below it";

    fn parse(text: &str) -> Result<Self, Option<String>> {
        if let Some(address) = text
            .strip_prefix('[')
            .and_then(|rest| rest.strip_suffix(']'))
        {
            let address: Ipv6Addr = address.parse().map_err(|_| None)?;
            return Ok(Self::Exact(format!("[{address}]")));
        }
        match text.strip_prefix("*.") {
            Some(host) if is_host(host) => {
                Ok(Self::Suffix(format!(".{}", host.to_ascii_lowercase())))
            }
            None if is_host(text) => Ok(Self::Exact(text.to_ascii_lowercase())),
            Some(_) | None => Err(meant_host(text)),
        }
    }

    fn written(&self) -> String {
        match self {
            Self::Exact(host) => host.clone(),
            Self::Suffix(suffix) => format!("*{suffix}"),
        }
    }
}

fn meant_host(text: &str) -> Option<String> {
    let without_scheme = text.split_once("://").map_or(text, |(_, rest)| rest);
    let host = without_scheme.split(['/', ':']).next()?;
    let host = host.trim_end_matches('.');
    let host = host
        .strip_prefix('.')
        .map_or(host.to_owned(), |rest| format!("*.{rest}"));
    (host != text && is_host(host.strip_prefix("*.").unwrap_or(&host))).then_some(host)
}

impl Grammar for Endpoint {
    const TITLE: &'static str = "endpoint";
    const PATTERN: &'static str =
        "^([0-9A-Za-z_-]+(\\.[0-9A-Za-z_-]+)*\\.?|\\[[0-9A-Fa-f:.]+\\]):[0-9]{1,5}$";
    const EXPECTED: &'static str =
        "a host and a port such as 127.0.0.1:9000, backend.internal:80 or \"[::1]:80\"";

    fn parse(text: &str) -> Result<Self, Option<String>> {
        let parsed = text.rsplit_once(':').and_then(|(host, port)| {
            let digits = port.bytes().all(|b| b.is_ascii_digit());
            let port = port.parse().ok().filter(|port| digits && *port > 0)?;
            Some(Self {
                host: endpoint_host(host)?,
                port,
            })
        });
        parsed.ok_or_else(|| meant_endpoint(text))
    }

    fn written(&self) -> String {
        match &self.host {
            EndpointHost::Ip(address) => SocketAddr::new(*address, self.port).to_string(),
            EndpointHost::Dns(host) => format!("{host}:{}", self.port),
        }
    }
}

fn endpoint_host(host: &str) -> Option<EndpointHost> {
    if let Some(address) = host
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'))
    {
        return address
            .parse::<Ipv6Addr>()
            .ok()
            .map(|address| EndpointHost::Ip(address.into()));
    }
    if let Ok(address) = host.parse::<IpAddr>() {
        return address.is_ipv4().then_some(EndpointHost::Ip(address));
    }
    // What looks like an IPv4 address and is none is no DNS name either.
    let is_numeric = host
        .split('.')
        .all(|label| label.bytes().all(|b| b.is_ascii_digit()));
    let is_name = is_host(host.strip_suffix('.').unwrap_or(host)) && !is_numeric;
    is_name.then(|| EndpointHost::Dns(host.to_ascii_lowercase().into()))
}

impl Grammar for HostGrantName {
    const TITLE: &'static str = "host";
    const PATTERN: &'static str =
        "^((\\*\\.)?[0-9A-Za-z_-]+(\\.[0-9A-Za-z_-]+)*|\\[[0-9A-Fa-f:.]+\\])(:[0-9]{1,5})?$";
    const EXPECTED: &'static str = "a host such as auth.example, *.example.com, 192.0.2.1 or \"[2001:db8::1]\", with or without a \
                                    port behind it";

    fn parse(text: &str) -> Result<Self, Option<String>> {
        granted_host(text).ok_or_else(|| {
            let without_scheme = text.split_once("://").map_or(text, |(_, rest)| rest);
            let meant = without_scheme.split('/').next()?.trim_end_matches('.');
            let meant = match meant.parse::<Ipv6Addr>() {
                Ok(address) => format!("[{address}]"),
                Err(_) if meant.starts_with('.') => format!("*{meant}"),
                Err(_) => meant.to_owned(),
            };
            granted_host(&meant).map(|meant| meant.written())
        })
    }

    fn written(&self) -> String {
        let host = match &self.rule {
            HostRule::Name(name) => name.clone(),
            HostRule::Below(name) => format!("*.{name}"),
            HostRule::Address(IpAddr::V4(address)) => address.to_string(),
            HostRule::Address(IpAddr::V6(address)) => format!("[{address}]"),
        };
        match self.port {
            Some(port) => format!("{host}:{port}"),
            None => host,
        }
    }
}

fn granted_host(text: &str) -> Option<HostGrantName> {
    let (host, port) = match text.rsplit_once(':') {
        // A colon within brackets belongs to the address.
        Some((host, port)) if !port.contains(']') => {
            let digits = port.bytes().all(|b| b.is_ascii_digit());
            let port = port.parse().ok().filter(|port| digits && *port > 0)?;
            (host, Some(port))
        }
        Some(_) | None => (text, None),
    };
    let rule = match host.strip_prefix("*.") {
        Some(below) => match endpoint_host(below)? {
            EndpointHost::Dns(name) => HostRule::Below(name.trim_end_matches('.').to_owned()),
            EndpointHost::Ip(_) => return None,
        },
        None => match endpoint_host(host)? {
            EndpointHost::Dns(name) => HostRule::Name(name.trim_end_matches('.').to_owned()),
            EndpointHost::Ip(address) => HostRule::Address(address),
        },
    };
    Some(HostGrantName { rule, port })
}

fn meant_endpoint(text: &str) -> Option<String> {
    let (scheme, rest) = text
        .split_once("://")
        .map_or(("", text), |(scheme, rest)| (scheme, rest));
    let rest = rest.split('/').next()?;
    let port = if scheme == "https" { 443 } else { 80 };
    let candidates = match rest.rsplit_once(':') {
        _ if rest == "::1" => [format!("[::1]:{port}"), String::new()],
        Some((host, number)) => [rest.to_owned(), format!("[{host}]:{number}")],
        None => [format!("{rest}:{port}"), String::new()],
    };
    candidates
        .into_iter()
        .find(|candidate| candidate != text && is_endpoint(candidate))
}

fn is_endpoint(text: &str) -> bool {
    text.rsplit_once(':').is_some_and(|(host, port)| {
        port.parse::<u16>().is_ok_and(|port| port > 0) && endpoint_host(host).is_some()
    })
}

/// Labels of letters, digits, `-` and `_` with dots between them, as long as DNS allows.
fn is_host(text: &str) -> bool {
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
    };
    text.len() <= 253 && text.split('.').all(is_label)
}

#[cfg(test)]
mod tests {
    use super::super::tests::check;
    use super::*;

    #[test]
    fn addresses() {
        check::<Address>(
            &[("127.0.0.1:80", "127.0.0.1:80"), ("[::1]:0", "[::1]:0")],
            &[
                ("8080", Some("0.0.0.0:8080")),
                (":8080", Some("0.0.0.0:8080")),
                ("localhost:80", Some("127.0.0.1:80")),
                ("127.0.0.1", Some("127.0.0.1:8080")),
                ("::1:80", Some("[::1]:80")),
                ("127.0.0.1:99999", None),
                ("", None),
            ],
        );
    }

    #[test]
    fn endpoints() {
        check::<Endpoint>(
            &[
                ("127.0.0.1:9000", "127.0.0.1:9000"),
                ("[::1]:80", "[::1]:80"),
                ("Backend.internal.:80", "backend.internal.:80"),
                ("my_svc:1", "my_svc:1"),
            ],
            &[
                ("http://a:80/", Some("a:80")),
                ("https://a", Some("a:443")),
                ("::1:80", Some("[::1]:80")),
                ("backend", Some("backend:80")),
                ("a:0", None),
                ("a:+1", None),
                ("300.1.1.1:80", None),
                ("", None),
                ("a b:80", None),
            ],
        );
    }

    #[test]
    fn granted_hosts() {
        check::<HostGrantName>(
            &[
                ("Auth.example", "auth.example"),
                ("auth.internal:8080", "auth.internal:8080"),
                ("*.Example.com:80", "*.example.com:80"),
                ("127.0.0.1", "127.0.0.1"),
                ("127.0.0.1:9", "127.0.0.1:9"),
                ("[::1]", "[::1]"),
                ("[::1]:80", "[::1]:80"),
            ],
            &[
                ("https://a.example/x", Some("a.example")),
                (".example.com", Some("*.example.com")),
                ("::1", Some("[::1]")),
                ("a.example:0", None),
                ("a.example:http", None),
                ("*.1.2.3.4", None),
                ("*", None),
                ("", None),
            ],
        );
    }

    #[test]
    fn hosts() {
        check::<HostPattern>(
            &[
                ("Example.com", "example.com"),
                ("*.example.com", "*.example.com"),
                ("[::1]", "[::1]"),
                ("127.0.0.1", "127.0.0.1"),
            ],
            &[
                ("example.com:80", Some("example.com")),
                ("https://example.com/", Some("example.com")),
                (".example.com", Some("*.example.com")),
                ("*", None),
                ("a.*.com", None),
                ("", None),
            ],
        );
    }
}
