//! Where a function's requests may go: hosts by its grants, addresses by what they are.
//!
//! Invariant: whatever spelling an address has (mapped into IPv6, translated, tunnelled), it is judged
//! by the address that packets would go to.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use weir_model::{HostGrant, HostRule};

/// What the grants say of a host and port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Nothing grants it.
    Refused,
    /// Its name is granted, its public addresses only.
    Public,
    /// Its name is granted with whatever addresses it has, or this address is.
    Any,
}

/// What the grants say of a host. `default`: the port of the scheme.
pub(super) fn judge(grants: &[HostGrant], host: &Host, (port, default): (u16, u16)) -> Verdict {
    let fits =
        |grant: &&HostGrant| grant.port.unwrap_or(default) == port && covers(&grant.host, host);
    let mut fitting = grants.iter().filter(fits).peekable();
    if fitting.peek().is_none() {
        return Verdict::Refused;
    }
    let is_any = |grant: &HostGrant| grant.is_private || matches!(grant.host, HostRule::Address(_));
    if fitting.any(is_any) {
        Verdict::Any
    } else {
        Verdict::Public
    }
}

/// The host of a URI.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Host {
    /// In lower case, without a dot at its end.
    Name(String),
    /// An address, as packets see it.
    Address(IpAddr),
}

impl Host {
    /// Reads a URI's host; `None`: there is none.
    pub(super) fn of(text: &str) -> Option<Self> {
        if let Some(inner) = text.strip_prefix('[') {
            let address: Ipv6Addr = inner.strip_suffix(']')?.parse().ok()?;
            return Some(Self::Address(IpAddr::V6(address).to_canonical()));
        }
        if let Ok(address) = text.parse::<Ipv4Addr>() {
            return Some(Self::Address(address.into()));
        }
        let name = text.strip_suffix('.').unwrap_or(text);
        (!name.is_empty()).then(|| Self::Name(name.to_ascii_lowercase()))
    }
}

fn covers(rule: &HostRule, host: &Host) -> bool {
    match (rule, host) {
        (HostRule::Name(granted), Host::Name(name)) => granted == name,
        (HostRule::Below(granted), Host::Name(name)) => name
            .strip_suffix(granted.as_str())
            .is_some_and(|before| before.ends_with('.') && before.len() > 1),
        (HostRule::Address(granted), Host::Address(address)) => granted.to_canonical() == *address,
        (HostRule::Name(_) | HostRule::Below(_), Host::Address(_))
        | (HostRule::Address(_), Host::Name(_)) => false,
    }
}

/// Whether a name with this verdict may stand for an address.
pub(super) fn admits(verdict: Verdict, address: IpAddr) -> bool {
    match verdict {
        Verdict::Refused => false,
        Verdict::Public => is_public(address),
        Verdict::Any => is_one_host(address),
    }
}

/// Whether a single host can be behind it at all.
fn is_one_host(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(address) => {
            !(address.is_unspecified() || address.is_multicast() || address.is_broadcast())
        }
        IpAddr::V6(address) => !(address.is_unspecified() || address.is_multicast()),
    }
}

/// Whether an address is of the public network (IANA's registries of special-purpose addresses).
pub(super) fn is_public(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    let is_special = address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_documentation()
        || a == 0
        // Carriers' own (RFC 6598).
        || (a == 100 && (64..128).contains(&b))
        // Protocol assignments, 6to4 relays, AS112.
        || (a == 192 && b == 0 && c == 0)
        || (a == 192 && b == 88 && c == 99)
        // Benchmarks (RFC 2544).
        || (a == 198 && (18..20).contains(&b))
        // Multicast, reserved, broadcast.
        || a >= 224;
    !is_special
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let [first, second, third, .., seventh, last] = address.segments();
    let embedded = |high: u16, low: u16| {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        is_public_v4(Ipv4Addr::new(a, b, c, d))
    };
    match (first, second) {
        // Translated (RFC 6052).
        (0x64, 0xff9b) if address.segments()[2..6] == [0; 4] => embedded(seventh, last),
        // 6to4 (RFC 3056).
        (0x2002, high) => embedded(high, third),
        // Protocol assignments with Teredo, and documentation (RFC 3849, RFC 9637).
        (0x2001, ..0x200 | 0xdb8) | (0x3fff, ..0x1000) => false,
        // All global unicast (RFC 4291).
        (0x2000..=0x3fff, _) => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn addresses_of_the_public_network() {
        for public in [
            "8.8.8.8",
            "1.1.1.1",
            "2606:4700::1",
            "64:ff9b::808:808",
            "2002:808:808::1",
        ] {
            assert!(is_public(ip(public)), "{public}");
        }
    }

    #[test]
    fn addresses_that_are_not() {
        for special in [
            "127.0.0.1",
            "127.8.9.1",
            "10.0.0.1",
            "172.16.3.4",
            "192.168.1.1",
            "169.254.169.254",
            "0.0.0.0",
            "0.1.2.3",
            "100.64.0.1",
            "192.0.0.8",
            "192.0.2.1",
            "198.18.0.1",
            "198.51.100.7",
            "203.0.113.9",
            "224.0.0.1",
            "240.0.0.1",
            "255.255.255.255",
            "::1",
            "::",
            "fe80::1",
            "fc00::1",
            "fd12::1",
            "fec0::1",
            "ff02::1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "::7f00:1",
            "64:ff9b::7f00:1",
            "64:ff9b:1::1",
            "2002:7f00:1::1",
            "2002:a9fe:a9fe::",
            "2001::1",
            "2001:db8::1",
            "3fff::1",
            "100::1",
        ] {
            assert!(!is_public(ip(special)), "{special}");
        }
    }

    #[test]
    fn no_grant_opens_what_is_no_host() {
        for none in [
            "0.0.0.0",
            "::",
            "224.0.0.1",
            "ff02::1",
            "255.255.255.255",
            "::ffff:0.0.0.0",
        ] {
            assert!(!admits(Verdict::Any, ip(none)), "{none}");
        }
        assert!(admits(Verdict::Any, ip("127.0.0.1")));
        assert!(!admits(Verdict::Public, ip("127.0.0.1")));
    }

    fn grant(host: HostRule, port: Option<u16>, is_private: bool) -> HostGrant {
        HostGrant {
            host,
            port,
            is_private,
        }
    }

    #[track_caller]
    fn check(host: &str, port: u16, expected: Verdict) {
        let grants = [
            grant(HostRule::Name("a.example".into()), None, false),
            grant(HostRule::Below("b.example".into()), Some(8080), false),
            grant(HostRule::Name("in.b.example".into()), Some(8080), true),
            grant(HostRule::Address(ip("10.0.0.1")), Some(81), false),
            grant(HostRule::Address(ip("::1")), None, false),
        ];
        let host = Host::of(host).unwrap();
        assert_eq!(
            judge(&grants, &host, (port, 80)),
            expected,
            "{host:?}:{port}"
        );
    }

    #[test]
    fn grants_cover_what_they_say() {
        check("a.example", 80, Verdict::Public);
        check("A.Example.", 80, Verdict::Public);
        check("a.example", 81, Verdict::Refused);
        check("x.a.example", 80, Verdict::Refused);
        check("a.example.evil", 80, Verdict::Refused);
        check("x.b.example", 8080, Verdict::Public);
        check("x.y.b.example", 8080, Verdict::Public);
        check("b.example", 8080, Verdict::Refused);
        check("xb.example", 8080, Verdict::Refused);
        check(".b.example", 8080, Verdict::Refused);
        check("x.b.example", 80, Verdict::Refused);
        check("in.b.example", 8080, Verdict::Any);
        check("10.0.0.1", 81, Verdict::Any);
        check("[::ffff:10.0.0.1]", 81, Verdict::Any);
        check("10.0.0.1", 80, Verdict::Refused);
        check("10.0.0.2", 81, Verdict::Refused);
        check("[::1]", 80, Verdict::Any);
        check("[0:0:0:0:0:0:0:1]", 80, Verdict::Any);
        // Spellings of addresses that only a resolver would understand are names here.
        check("0x0a.1", 81, Verdict::Refused);
        check("167772161", 81, Verdict::Refused);
    }
}
