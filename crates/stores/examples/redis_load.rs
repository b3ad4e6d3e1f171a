//! Maps on a running Redis or Valkey under load.
//!
//!     redis_load increments ADDRESS TOTAL [GATEWAYS]   counts to TOTAL with GATEWAYS processes (2) of
//!                                                      8 threads each, and checks every sum
//!     redis_load speed ADDRESS                         operations a second at 1, 32 and 256 at a time
//!
//! The map `example/load` is cleared first.

#![expect(clippy::print_stdout, reason = "a program for people")]

use std::cell::Cell;
use std::error::Error;
use std::process::{Command, Stdio};
use std::rc::Rc;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use redis::cmd;
use weir_maps::{Answer, MapOptions, Store, Terms, Value};
use weir_stores::redis::{RedisMap, RedisStore, RedisStoreConfig, RedisStores};

type Outcome<T> = Result<T, Box<dyn Error>>;

/// Threads of one gateway.
const THREADS: u64 = 8;
/// Operations of one thread that are under way at a time.
const AT_A_TIME: u64 = 32;
/// How long each speed is measured.
const WHILE: Duration = Duration::from_secs(2);

fn main() -> Outcome<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["increments", address, total] => increments(address, total.parse()?, 2),
        ["increments", address, total, gateways] => {
            increments(address, total.parse()?, gateways.parse()?)
        }
        ["gateway", address, times] => gateway(address, times.parse()?),
        ["speed", address] => speed(address),
        _ => Err("redis_load increments ADDRESS TOTAL [GATEWAYS] | speed ADDRESS".into()),
    }
}

fn map(address: &str) -> Outcome<(RedisStores, RedisStore)> {
    let mut config = RedisStoreConfig::single(address);
    config.deadline = Duration::from_secs(10);
    let map = RedisMap {
        scope: "example",
        name: "load",
        slots: 1,
    };
    let stores = RedisStores::open(config)?;
    let map = stores.map(map, MapOptions::default())?;
    Ok((stores, map))
}

/// A worker, as the gateway has them.
fn worker<T>(work: impl Future<Output = T>) -> Outcome<T> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    Ok(tokio::task::LocalSet::new().block_on(&runtime, work))
}

fn increments(address: &str, total: u64, gateways: u64) -> Outcome<()> {
    let (_, counter) = map(address)?;
    worker(async { counter.clear().wait().await })??;
    let share = total / gateways / THREADS * THREADS;
    let begun = Instant::now();
    let children: Vec<_> = (0..gateways)
        .map(|_| {
            Command::new(std::env::current_exe()?)
                .args(["gateway", address, &share.to_string()])
                .stdout(Stdio::piped())
                .spawn()
        })
        .collect::<Result<_, _>>()?;
    let mut sums = 0_u128;
    for child in children {
        let output = child.wait_with_output()?;
        sums += String::from_utf8(output.stdout)?.trim().parse::<u128>()?;
    }
    let took = begun.elapsed();
    let total = share * gateways;
    let counted = worker(async { counter.add(b"n", 0).wait().await })??.value;
    let expected = u128::from(total) * (u128::from(total) + 1) / 2;
    let rate = f64::from(u32::try_from(total)?) / took.as_secs_f64();
    println!(
        "{gateways} gateways of {THREADS} threads: {total} increments in {took:.1?} ({rate:.0}/s); \
         counted {counted}; the sums that were answered add up to {sums}, expected {expected}"
    );
    if i128::from(counted) != i128::from(total) || sums != expected {
        return Err("some were lost, or there were too many".into());
    }
    Ok(())
}

/// One gateway: answers the sum of all that its threads were answered.
fn gateway(address: &str, times: u64) -> Outcome<()> {
    let (stores, map) = map(address)?;
    let sums: Result<Vec<u128>, String> = std::thread::scope(|scope| {
        let thread = || {
            let counted =
                worker(count(&stores, &map, times / THREADS)).map_err(|error| error.to_string())?;
            counted.map_err(|error| error.to_string())
        };
        let threads: Vec<_> = (0..THREADS).map(|_| scope.spawn(thread)).collect();
        let join = |it: std::thread::ScopedJoinHandle<'_, Result<u128, String>>| {
            it.join()
                .unwrap_or_else(|_| Err("a thread panicked".to_owned()))
        };
        threads.into_iter().map(join).collect()
    });
    println!("{}", sums?.iter().sum::<u128>());
    Ok(())
}

async fn count(
    stores: &RedisStores,
    map: &RedisStore,
    times: u64,
) -> Result<u128, weir_maps::MapError> {
    stores.serve_here();
    let mut sums = 0;
    let mut left = times;
    while left > 0 {
        let now = left.min(AT_A_TIME);
        let under_way: Vec<_> = (0..now).map(|_| map.add(b"n", 1).wait()).collect();
        for counted in join_all(under_way).await {
            sums += u128::try_from(counted?.value).unwrap_or_default();
        }
        left -= now;
    }
    Ok(sums)
}

fn speed(address: &str) -> Outcome<()> {
    let (stores, map) = map(address)?;
    let map = Rc::new(map);
    worker(async {
        map.clear().wait().await?;
        let value = Value::copy_of(&[7; 64]);
        for key in 0..1000_u32 {
            map.write(&key.to_be_bytes(), value.clone(), Terms::default())
                .wait()
                .await?;
        }
        Ok::<(), weir_maps::MapError>(())
    })??;
    println!("one worker            at a time   ops/s   processor of the server, of this process");
    for (name, what) in [
        ("get of 64 bytes", What::Get),
        ("set of 64 bytes", What::Set),
        ("increment", What::Add),
        ("INCRBY, no map", What::Plain),
    ] {
        for at_a_time in [1, 32, 256] {
            measure(address, (&stores, &map), (name, what), at_a_time)?;
        }
    }
    Ok(())
}

#[derive(Clone, Copy)]
enum What {
    Get,
    Set,
    Add,
    /// What the server does for a command of its own, on one connection of the same client.
    Plain,
}

fn measure(
    address: &str,
    (stores, map): (&RedisStores, &Rc<RedisStore>),
    (name, what): (&str, What),
    at_a_time: usize,
) -> Outcome<()> {
    let before = (server_time(address)?, own_time()?);
    let done = worker(load((address, stores), Rc::clone(map), what, at_a_time))?;
    let after = (server_time(address)?, own_time()?);
    let seconds = WHILE.as_secs_f64();
    println!(
        "{name:20} {at_a_time:10} {:8.0} {:5.0} % {:5.0} %",
        done? / seconds,
        (after.0 - before.0) / seconds * 100.0,
        (after.1 - before.1) / seconds * 100.0,
    );
    Ok(())
}

async fn load(
    (address, stores): (&str, &RedisStores),
    map: Rc<RedisStore>,
    what: What,
    at_a_time: usize,
) -> Result<f64, String> {
    if std::env::var_os("THERE").is_none() {
        stores.serve_here();
    }
    let client = redis::Client::open(format!("redis://{address}")).map_err(|it| it.to_string())?;
    let plain = client
        .get_multiplexed_async_connection()
        .await
        .map_err(|it| it.to_string())?;
    let done = Rc::new(Cell::new(0.0));
    let end = Instant::now() + WHILE;
    let tasks: Vec<_> = (0..at_a_time)
        .map(|task| {
            let (map, done, mut plain) = (Rc::clone(&map), Rc::clone(&done), plain.clone());
            tokio::task::spawn_local(async move {
                let mut key = u32::try_from(task).unwrap_or_default();
                while Instant::now() < end {
                    key = (key * 7 + 1) % 1000;
                    one(&map, what, key, &mut plain).await?;
                    done.set(done.get() + 1.0);
                }
                Ok::<(), String>(())
            })
        })
        .collect();
    for task in tasks {
        task.await.map_err(|error| error.to_string())??;
    }
    Ok(done.get())
}

async fn one(
    map: &RedisStore,
    what: What,
    key: u32,
    plain: &mut redis::aio::MultiplexedConnection,
) -> Result<(), String> {
    let key = key.to_be_bytes();
    let failed = |error: weir_maps::MapError| error.to_string();
    match what {
        What::Get => {
            if let Answer::Later(later) = map.read(&key, &mut |_| ()) {
                later.await.map_err(failed)?;
            }
        }
        What::Set => {
            let value = Value::copy_of(&[8; 64]);
            map.write(&key, value, Terms::default())
                .wait()
                .await
                .map_err(failed)?;
        }
        What::Add => drop(map.add(b"n", 1).wait().await.map_err(failed)?.value),
        What::Plain => {
            let mut command = cmd("INCRBY");
            command.arg("weir:example:plain").arg(1);
            plain
                .send_packed_command(&command)
                .await
                .map_err(|error| error.to_string())?;
        }
    }
    Ok(())
}

/// Seconds of a processor that the server took so far.
fn server_time(address: &str) -> Outcome<f64> {
    let cpu: String = worker(async {
        let client = redis::Client::open(format!("redis://{address}"))?;
        let mut connection = client.get_multiplexed_async_connection().await?;
        cmd("INFO").arg("cpu").query_async(&mut connection).await
    })??;
    let field = |name: &str| {
        cpu.lines()
            .find_map(|line| line.strip_prefix(name)?.parse::<f64>().ok())
    };
    Ok(field("used_cpu_user:").unwrap_or(0.0) + field("used_cpu_sys:").unwrap_or(0.0))
}

fn own_time() -> Outcome<f64> {
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    let after_name = stat.rsplit(") ").next().unwrap_or_default();
    let ticks = after_name
        .split(' ')
        .skip(11)
        .take(2)
        .filter_map(|it| it.parse::<f64>().ok());
    Ok(ticks.sum::<f64>() / 100.0)
}
