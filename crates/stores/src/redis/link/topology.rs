//! The layout of a cluster: asked for when it is not known, or is not as it is known.

use std::collections::{BTreeMap, HashSet};
use std::rc::Rc;

use redis::{Value as Reply, cmd};
use weir_model::limits::redis as limits;

use super::hub::Hub;
use super::jittered;
use super::node::Node;

/// First and last slot, and the address of the primary.
type Ranges = Vec<(u16, u16, String)>;

/// Keeps the layout up to date.
pub(super) async fn keep(hub: Rc<Hub>) {
    start(&hub);
    while hub.is_alive() {
        match ask(&hub).await {
            Some(ranges) => take(&hub, &ranges),
            // Nobody answers: the configured ones may by and by.
            None => start(&hub),
        }
        tokio::time::sleep(jittered(limits::TOPOLOGY_PAUSE)).await;
        if !hub.slots.borrow().is_empty() {
            hub.stale.notified().await;
        }
    }
}

/// Connects to those that are configured.
fn start(hub: &Hub) {
    for address in &hub.config.addresses {
        hub.node(address);
    }
}

/// Asks those that are connected, one after the other, until one answers.
async fn ask(hub: &Hub) -> Option<Ranges> {
    let nodes: Vec<Rc<Node>> = hub.nodes.borrow().values().cloned().collect();
    for node in nodes {
        let Some(mut connection) = node.connected() else {
            continue;
        };
        let mut command = cmd("CLUSTER");
        command.arg("SLOTS");
        let asked = connection.send_packed_command(&command);
        match tokio::time::timeout(limits::CONNECT_TIME / 4, asked).await {
            Ok(Ok(reply)) => {
                if let Some(ranges) = ranges(&reply, &node).filter(|ranges| !ranges.is_empty()) {
                    return Some(ranges);
                }
            }
            Ok(Err(_)) | Err(_) => node.silent(limits::CONNECT_TIME / 4),
        }
    }
    None
}

fn ranges(reply: &Reply, asked: &Node) -> Option<Ranges> {
    let Reply::Array(ranges) = reply else {
        return None;
    };
    ranges
        .iter()
        .map(|range| self::range(range, asked))
        .collect()
}

/// First slot, last slot, then the nodes: the primary is the first of them.
fn range(range: &Reply, asked: &Node) -> Option<(u16, u16, String)> {
    let Reply::Array(parts) = range else {
        return None;
    };
    let (Reply::Int(first), Reply::Int(last)) = (parts.first()?, parts.get(1)?) else {
        return None;
    };
    let Reply::Array(primary) = parts.get(2)? else {
        return None;
    };
    let Reply::Int(port) = primary.get(1)? else {
        return None;
    };
    let host = match primary.first()? {
        Reply::BulkString(host) if !host.is_empty() => String::from_utf8_lossy(host).into_owned(),
        // It does not know its own name: the one that it was asked by is good.
        _ => asked.target.to_string().rsplit_once(':')?.0.to_owned(),
    };
    let (first, last) = (u16::try_from(*first).ok()?, u16::try_from(*last).ok()?);
    Some((first, last, format!("{host}:{port}")))
}

/// This is the layout from now on.
fn take(hub: &Hub, ranges: &Ranges) {
    let used: HashSet<&String> = ranges.iter().map(|(_, _, address)| address).collect();
    hub.nodes.borrow_mut().retain(|address, node| {
        let keep = used.contains(address) || hub.config.addresses.contains(address);
        if !keep {
            node.retire();
        }
        keep
    });
    let slots: BTreeMap<u16, (u16, Rc<Node>)> = ranges
        .iter()
        .map(|(first, last, address)| (*last, (*first, hub.node(address))))
        .collect();
    *hub.slots.borrow_mut() = slots;
    hub.changed.notify_waiters();
}
