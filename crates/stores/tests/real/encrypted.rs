//! Maps in a Redis that speaks TLS alone and asks for a certificate. Needs `openssl`.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use tempfile::TempDir;
use weir_maps::{MapError, MapOptions};
use weir_stores::redis::{
    RedisConfigError, RedisMap, RedisStore, RedisStoreConfig, RedisStores, RedisTls,
};

use crate::servers::{Program, Server};
use crate::suite::{Plain as _, wait};

fn openssl(folder: &Path, line: &str) {
    let mut command = Command::new("openssl");
    let made = command.current_dir(folder).args(line.split(' ')).output();
    let made = made.expect("openssl is installed");
    assert!(made.status.success(), "{line}: {made:?}");
}

/// An authority, a server called `redis.test` at 127.0.0.1, a client, and an authority of others.
fn certificates() -> TempDir {
    let folder = TempDir::new().unwrap();
    let key = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes";
    for ca in ["ca", "other"] {
        let line = format!("req -x509 {key} -keyout {ca}.key -out {ca}.pem -subj /CN={ca} -days 2");
        openssl(folder.path(), &line);
    }
    let names = "subjectAltName=DNS:redis.test,IP:127.0.0.1";
    std::fs::write(folder.path().join("names"), names).unwrap();
    for name in ["server", "client"] {
        let line = format!("req {key} -keyout {name}.key -out {name}.csr -subj /CN={name}");
        openssl(folder.path(), &line);
        let line = format!(
            "x509 -req -in {name}.csr -CA ca.pem -CAkey ca.key -CAcreateserial -out {name}.pem \
             -days 2 -extfile names"
        );
        openssl(folder.path(), &line);
    }
    folder
}

fn tls(folder: &Path) -> RedisTls {
    RedisTls {
        ca: folder.join("ca.pem"),
        identity: Some((folder.join("client.pem"), folder.join("client.key"))),
        name: None,
    }
}

fn map(server: &Server, tls: Option<RedisTls>) -> RedisStore {
    let config = RedisStoreConfig {
        tls,
        deadline: Duration::from_secs(2),
        ..server.config()
    };
    let stores = RedisStores::open(config).unwrap();
    let map = RedisMap {
        scope: "encrypted",
        name: "map",
        slots: 1,
    };
    stores.map(map, MapOptions::default()).unwrap()
}

#[test]
fn maps_work_encrypted() {
    let folder = certificates();
    let server = Server::encrypted(Program::Redis, folder.path());
    let one = map(&server, Some(tls(folder.path())));
    let named = RedisTls {
        name: Some("redis.test".to_owned()),
        ..tls(folder.path())
    };
    let other = map(&server, Some(named));
    let watch = wait(weir_maps::Store::watch(&one, b"")).unwrap();
    let long = vec![7; 1 << 20];
    other.set(b"long", &long).unwrap();
    let found = one.entry(b"long").unwrap();
    assert_eq!(found.value.bytes(), Some(&long[..]));
    for sum in 1..=100 {
        assert_eq!(one.plus(b"n", 1).unwrap().value, sum);
    }
    let begun = std::time::Instant::now();
    while watch.try_next().is_none() {
        assert!(
            begun.elapsed() < Duration::from_secs(20),
            "nothing was told"
        );
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn who_is_not_trusted_gets_nothing() {
    let folder = certificates();
    let server = Server::encrypted(Program::Redis, folder.path());
    let good = tls(folder.path());
    let stranger = RedisTls {
        ca: folder.path().join("other.pem"),
        ..good.clone()
    };
    let misnamed = RedisTls {
        name: Some("valkey.test".to_owned()),
        ..good.clone()
    };
    let nobody = RedisTls {
        identity: None,
        ..good
    };
    let cases = [
        (Some(stranger), "UnknownIssuer"),
        (Some(misnamed), "valkey.test"),
        (Some(nobody), "CertificateRequired"),
        (None, "127.0.0.1"),
    ];
    for (tls, part) in cases {
        let refused = map(&server, tls).set(b"k", b"v");
        let Err(MapError::Io(why)) = refused else {
            panic!("{part}: {refused:?}");
        };
        assert!(why.contains(part), "{part} not in {why}");
    }
}

#[test]
fn files_that_are_of_no_use_are_named() {
    let folder = certificates();
    let good = tls(folder.path());
    let (client, key) = good.identity.clone().unwrap();
    let missing = folder.path().join("missing.pem");
    let cases = [
        (
            RedisTls {
                ca: missing,
                ..good.clone()
            },
            "tls.ca: ",
            "missing.pem",
        ),
        (
            RedisTls {
                ca: key.clone(),
                ..good.clone()
            },
            "tls.ca: ",
            "no certificate",
        ),
        (
            RedisTls {
                identity: Some((client.clone(), client.clone())),
                ..good.clone()
            },
            "tls.key: ",
            "client.pem",
        ),
        (
            RedisTls {
                identity: Some((client, folder.path().join("server.key"))),
                ..good.clone()
            },
            "tls.key: ",
            "server.key",
        ),
        (
            RedisTls {
                name: Some("a b".to_owned()),
                ..good
            },
            "tls.name: ",
            "a b",
        ),
    ];
    for (tls, key, part) in cases {
        let config = RedisStoreConfig {
            tls: Some(tls),
            ..RedisStoreConfig::single("127.0.0.1:1")
        };
        let refused: RedisConfigError = config.check().unwrap_err();
        let told = refused.to_string();
        assert!(told.starts_with(key) && told.contains(part), "{told}");
    }
}
