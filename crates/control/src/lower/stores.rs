//! Stores of maps.

use std::path::Path;

use weir_model::{
    FileStore, Login, Name, RedisServers, RedisServersKind, RedisTls, Secret, Store, limits,
};

use crate::file::{
    DurabilityWord, DurableText, MEMORY, RedisText, RedisTlsText, RedisWord, SsdText, StoreText,
    VariableText,
};
use crate::problem::Refusal;
use crate::shape::text::{FilePath, Text};
use crate::shape::{Place, Placed, Reader};

/// `None`: what is wrong was reported.
pub(super) fn lowered_store(
    (name, store): (&Name, Placed<StoreText>),
    folder: &Path,
    reader: &mut Reader<'_>,
) -> Option<Store> {
    if **name == *MEMORY {
        let what = "\"memory\" is the gateway's memory, for maps without a store";
        let refusal = Refusal::new(what, MEMORY, "another name for the store");
        reader.refuse_at(&store.place, refusal);
    }
    let StoreText {
        durable,
        ssd_backed,
        redis,
    } = store.value;
    durable
        .map(|text| Store::Durable(lowered_durable(text, folder, reader)))
        .or_else(|| ssd_backed.map(|text| Store::SsdBacked(lowered_ssd(&text, folder, reader))))
        .or_else(|| redis.map(|text| Store::Redis(lowered_redis(text, folder, reader))))
}

fn lowered_durable(text: DurableText, folder: &Path, reader: &mut Reader<'_>) -> FileStore {
    let lag = match text.durability {
        DurabilityWord::Synced => {
            if let Some(interval) = &text.sync_interval {
                let what = "synced changes are on the disk when they are acknowledged";
                let expected = "the key left out, or durability: relaxed";
                reader.refuse_at(&interval.place, Refusal::new(what, "", expected));
            }
            None
        }
        DurabilityWord::Relaxed => {
            let configured = text.sync_interval.map(|interval| interval.value.0);
            Some(configured.unwrap_or(limits::disk::SYNC_INTERVAL))
        }
    };
    FileStore {
        folder: checked(&text.path, folder, reader),
        lag,
        memory_bytes: text.memory.0,
    }
}

fn lowered_ssd(text: &SsdText, folder: &Path, reader: &mut Reader<'_>) -> FileStore {
    FileStore {
        folder: checked(&text.path, folder, reader),
        lag: Some(text.sync_interval.0),
        memory_bytes: text.memory.0,
    }
}

/// A folder that is there, or can still be made.
fn checked(path: &Placed<FilePath>, from: &Path, reader: &mut Reader<'_>) -> std::path::PathBuf {
    let FilePath(written) = &path.value;
    let folder = from.join(written);
    if folder.exists() && !folder.is_dir() {
        let written = written.display().to_string();
        let what = format!("\"{written}\" is no folder");
        let expected = "a folder, or a path at which one can be made";
        reader.refuse_at(&path.place, Refusal::new(what, &written, expected));
    }
    folder
}

fn lowered_redis(text: RedisText, folder: &Path, reader: &mut Reader<'_>) -> RedisServers {
    let kind = lowered_kind(&text, reader);
    if text.kind != RedisWord::Sentinel {
        let user = text.sentinel_username.as_ref().map(|one| &one.place);
        let password = text.sentinel_password.as_ref().map(|one| &one.place);
        for place in [user, password].into_iter().flatten() {
            refuse(place, "there are no sentinels", "kind: sentinel", reader);
        }
    }
    let sentinel_password = text.sentinel_password.map(|one| one.value);
    let username = (text.username, "password");
    let sentinel_username = (text.sentinel_username, "sentinel_password");
    RedisServers {
        kind,
        addresses: text.addresses.value.0,
        login: lowered_login(username, text.password, reader),
        sentinel_login: lowered_login(sentinel_username, sentinel_password, reader),
        database: text.database.value.to(),
        prefix: text.prefix.0,
        deadline: text.deadline.0,
        tls: text.tls.map(|tls| lowered_tls(tls, folder, reader)),
    }
}

fn lowered_tls(text: RedisTlsText, folder: &Path, reader: &mut Reader<'_>) -> RedisTls {
    match (&text.certificate, &text.key) {
        (Some(certificate), None) => {
            let what = "a certificate without its key";
            refuse(&certificate.place, what, "key: PATH beside it", reader);
        }
        (None, Some(key)) => {
            let what = "a key without its certificate";
            refuse(&key.place, what, "certificate: PATH beside it", reader);
        }
        (Some(_), Some(_)) | (None, None) => {}
    }
    let file = |path: Placed<FilePath>| folder.join(path.value.0);
    let certificate = text.certificate.map(file);
    RedisTls {
        ca: folder.join(text.ca.value.0),
        identity: certificate.zip(text.key.map(file)),
        name: text.name.map(|name| name.0),
    }
}

fn lowered_kind(text: &RedisText, reader: &mut Reader<'_>) -> RedisServersKind {
    let count = text.addresses.value.0.len();
    match (text.kind, &text.primary) {
        (RedisWord::Sentinel, Some(primary)) => {
            return RedisServersKind::Sentinel {
                primary: primary.value.0.to_string(),
            };
        }
        (RedisWord::Sentinel, None) => {
            let what = "it is not said which primary the sentinels are to be asked for";
            let expected = "primary: NAME, as in `sentinel monitor NAME`";
            refuse(&text.addresses.place, what, expected, reader);
        }
        (RedisWord::Single | RedisWord::Cluster, Some(primary)) => {
            let expected = "kind: sentinel, or the key left out";
            refuse(
                &primary.place,
                "only sentinels name a primary",
                expected,
                reader,
            );
        }
        (RedisWord::Single | RedisWord::Cluster, None) => {}
    }
    if text.kind == RedisWord::Single && count > 1 {
        let what = format!("{count} addresses of a single server");
        let expected = "one address, or kind: sentinel or cluster";
        refuse(&text.addresses.place, &what, expected, reader);
    }
    if text.kind != RedisWord::Cluster {
        return RedisServersKind::Single;
    }
    if text.database.value.0 != 0 {
        let what = "a cluster has only database 0";
        refuse(&text.database.place, what, "0, or the key left out", reader);
    }
    RedisServersKind::Cluster
}

fn lowered_login(
    (username, key): (Option<Placed<Text>>, &str),
    password: Option<VariableText>,
    reader: &mut Reader<'_>,
) -> Login {
    if let (Some(username), None) = (&username, &password) {
        let what = "a user without a password";
        let expected = format!("{key}: a text, or {{ from: NAME }}");
        refuse(&username.place, what, &expected, reader);
    }
    Login {
        username: username.map(|username| username.value.0),
        password: password.map(|password| Secret(super::lowered_variable(password))),
    }
}

fn refuse(place: &Place, what: &str, expected: &str, reader: &mut Reader<'_>) {
    reader.refuse_at(place, Refusal::new(what, "", expected));
}
