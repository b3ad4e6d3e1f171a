//! A plugin's process for the tests: an honest one, one that looks for holes in its walls, or one that
//! was taken over and breaks the protocol.

use std::io::{Read as _, Write as _};
use std::os::fd::AsFd as _;
use std::os::unix::net::UnixStream;
use std::process::ExitCode;
use std::time::Duration;

use weir_guest::apart::wire::{self, Ending, FromPlugin};
use weir_guest::apart::{Refuge, run_plugin, walls};
use weir_guest::door::{Call, HttpCall, LogLevel, Trace};
use weir_model::{GuestLimits, limits};

/// What the process's VM may use.
const MEMORY_BYTES: u64 = 1 << 20;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words[..] {
        [] => ExitCode::from(u8::from(run_plugin().is_err())),
        ["hole", hole] => look_for(hole),
        ["evil", how] => break_the_protocol(how),
        _ => ExitCode::FAILURE,
    }
}

/// Stands behind all walls and tries to get through: 0 if that went well, 1 if it was refused.
fn look_for(hole: &str) -> ExitCode {
    let refuge = Refuge {
        user: limits::APART_USER,
        vms: 1,
    };
    let limits = GuestLimits {
        memory_bytes: MEMORY_BYTES,
        ..GuestLimits::default()
    };
    let mut reports = walls::enter(&refuge, &limits);
    // A part of the walls may stand alone, so that each is seen to hold.
    let (hole, is_open) = match hole.strip_prefix("unsealed-") {
        Some(hole) => (hole, true),
        None => (hole, false),
    };
    if !is_open {
        walls::seal(&refuge, &limits, &mut reports);
    }
    if reports.iter().any(|report| report.missing.is_some()) {
        let _ = writeln!(std::io::stdout(), "{reports:?}");
    }
    let went_well = match hole {
        "nothing" => true,
        "file" => std::fs::File::open("/proc/self/exe").is_ok(),
        "written" => std::fs::write("/tmp/weir-test-hole", "x").is_ok(),
        "socket" => std::net::TcpListener::bind("127.0.0.1:0").is_ok(),
        "connection" => std::net::TcpStream::connect("127.0.0.1:9").is_ok(),
        "process" => std::process::Command::new("/proc/self/exe").spawn().is_ok(),
        "thread" => std::thread::Builder::new().spawn(|| ()).is_ok(),
        "pair" => UnixStream::pair().is_ok(),
        "signal" => {
            let parent = rustix::process::getppid().expect("a parent");
            rustix::process::test_kill_process(parent).is_ok()
        }
        "memory" => {
            let mut bytes = Vec::<u8>::new();
            let most = usize::try_from(limits::APART_HOST_BYTES).expect("a size") + (8 << 20);
            bytes.try_reserve_exact(most).is_ok()
        }
        _ => return ExitCode::from(2),
    };
    ExitCode::from(u8::from(!went_well))
}

/// Says that it is ready, and then answers the first question as `how` tells.
fn break_the_protocol(how: &str) -> ExitCode {
    let socket = std::io::stdin()
        .as_fd()
        .try_clone_to_owned()
        .expect("a socket");
    let mut socket = UnixStream::from(socket);
    read_frame(&mut socket);
    if how == "never-ready" {
        sleep();
    }
    send(&mut socket, &FromPlugin::Ready { walls: Vec::new() });
    if how == "ahead" {
        send(&mut socket, &FromPlugin::Call(Call::LogLevel));
    }
    read_frame(&mut socket);
    let call = HttpCall {
        cluster: b"c",
        headers: b"",
        body: b"",
        trailers: b"",
        timeout_ms: 0,
    };
    match how {
        "gone" => return ExitCode::from(3),
        "silent" => sleep(),
        "garbage" => send_bytes(&mut socket, &[5, 0, 0, 0, 0xff, 1, 2, 3, 4]),
        "long" => send_bytes(&mut socket, &[0xff; 64]),
        "claims" => send_bytes(&mut socket, &[0xff, 0xff, 0xff, 3, 0]),
        "early" => send(&mut socket, &FromPlugin::Call(Call::HttpCall(call))),
        "random" => send(
            &mut socket,
            &FromPlugin::Call(Call::Random { length: u32::MAX }),
        ),
        "spoofs" => send(
            &mut socket,
            &FromPlugin::Call(Call::Withheld { function: "x" }),
        ),
        "stopped" => send(
            &mut socket,
            &FromPlugin::NotStarted {
                export: "",
                ending: Ending::Stopped,
                trace: Trace::default(),
            },
        ),
        "other" => send(
            &mut socket,
            &FromPlugin::Returned {
                result: 0,
                memory_bytes: 0,
            },
        ),
        "withheld" | "chatters" | "slow" => {
            let started = FromPlugin::Started {
                hears: u32::MAX,
                memory_bytes: 0,
            };
            send(&mut socket, &started);
            read_frame(&mut socket);
            let log = Call::Log {
                level: LogLevel::Info,
                message: b"still here",
            };
            if how != "withheld" {
                loop {
                    send(&mut socket, &FromPlugin::Call(log));
                    read_frame(&mut socket);
                }
            }
            send(&mut socket, &FromPlugin::Call(Call::HttpCall(call)));
        }
        _ => return ExitCode::from(2),
    }
    sleep();
    ExitCode::SUCCESS
}

fn sleep() {
    std::thread::sleep(Duration::from_mins(1));
}

fn read_frame(socket: &mut UnixStream) {
    let mut length = [0; 4];
    if socket.read_exact(&mut length).is_err() {
        std::process::exit(4);
    }
    let mut frame = vec![0; u32::from_le_bytes(length) as usize];
    socket.read_exact(&mut frame).expect("a frame");
}

fn send(socket: &mut UnixStream, message: &FromPlugin<'_>) {
    let mut frame = vec![0; 4];
    wire::encode(message, &mut frame);
    let length = u32::try_from(frame.len() - 4).expect("a length");
    frame[..4].copy_from_slice(&length.to_le_bytes());
    send_bytes(socket, &frame);
}

fn send_bytes(socket: &mut UnixStream, bytes: &[u8]) {
    if socket.write_all(bytes).is_err() {
        std::process::exit(4);
    }
}
