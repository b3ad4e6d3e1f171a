//! Threads with connections of their own, as the gateway's workers have them.

use std::time::Duration;

use futures_util::future::join_all;
use weir_maps::{MapError, MapOptions, Store as _, Terms, Value};
use weir_stores::redis::{RedisMap, RedisStore, RedisStores};

use crate::servers::{Program, Server};

fn worker<T>(work: impl Future<Output = T>) -> T {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    let runtime = builder.enable_all().build().unwrap();
    tokio::task::LocalSet::new().block_on(&runtime, work)
}

fn stores(server: &Server) -> (RedisStores, RedisStore) {
    let stores = RedisStores::open(server.config()).unwrap();
    let map = RedisMap {
        scope: "workers",
        name: "map",
        slots: 3,
    };
    let map = stores.map(map, MapOptions::default()).unwrap();
    (stores, map)
}

/// Connections that the server has, without the one that asks.
fn clients(server: &Server) -> usize {
    server.tell(&["client", "list"]).lines().count() - 1
}

#[test]
fn each_worker_has_its_connection() {
    let server = Server::start(Program::Redis, &[]);
    let (stores, map) = stores(&server);
    std::thread::scope(|scope| {
        let count = || {
            worker(async {
                stores.serve_here();
                stores.serve_here();
                for _ in 0..100 {
                    let under_way: Vec<_> = (0..10).map(|_| map.add(b"n", 1).wait()).collect();
                    for counted in join_all(under_way).await {
                        counted.unwrap();
                    }
                }
                clients(&server)
            })
        };
        let threads: Vec<_> = (0..3).map(|_| scope.spawn(count)).collect();
        let seen: Vec<usize> = threads.into_iter().map(|it| it.join().unwrap()).collect();
        assert!(seen.iter().any(|seen| *seen >= 2), "{seen:?}");
    });
    let count = worker(async { map.add(b"n", 0).wait().await }).unwrap();
    assert_eq!(
        count.value, 3000,
        "a thread without connections asks over the back end's"
    );
}

#[test]
fn connections_end_with_the_back_end() {
    let server = Server::start(Program::Redis, &[]);
    let (stores, map) = stores(&server);
    worker(async {
        stores.serve_here();
        map.write(b"k", Value::copy_of(b"x"), Terms::default())
            .wait()
            .await
            .unwrap();
        drop((stores, map));
        for _ in 0..500 {
            if clients(&server) == 0 {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("{} connections are left", clients(&server));
    });
}

#[test]
fn a_worker_connects_again() {
    let server = Server::start(Program::Redis, &[]);
    let (stores, map) = stores(&server);
    worker(async {
        stores.serve_here();
        map.add(b"n", 1).wait().await.unwrap();
        let server = server.revive();
        // What was under way may be lost, and the next one finds another connection.
        let mut lost = 0;
        while let Err(error) = map.add(b"n", 1).wait().await {
            assert!(matches!(error, MapError::Io(_)), "{error}");
            lost += 1;
            assert!(lost < 10);
        }
        assert_eq!(map.add(b"n", 1).wait().await.unwrap().value, 2);
        drop(server);
    });
}
