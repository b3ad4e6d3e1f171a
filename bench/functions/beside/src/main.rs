//! What stands beside functions: the native handler, who starts a process for each request, and the
//! client that measures both.
//!
//!     beside once                            answers the request on standard input
//!     beside serve PORT                      answers on a port, in one thread
//!     beside spawn PORT PROGRAM [WORD...]    starts a program for each connection, which is its
//!                                            standard input and output; `@n@` in a word is a number
//!     beside knock PORT TARGET COUNT PAUSE   asks so often, each time on a new connection, with a
//!                                            pause of so many milliseconds; tells nanoseconds from
//!                                            before the connection to the first byte of the answer

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let number = |word: &str| word.parse().map_err(|_| io::Error::other("a number is needed"));
    let done = match &*words {
        ["once"] => respond(io::stdin(), io::stdout()),
        ["serve", port] => number(port).and_then(serve),
        ["spawn", port, program, rest @ ..] => number(port).and_then(|port| spawn(port, program, rest)),
        ["knock", port, target, count, pause] => number(port).and_then(|port| {
            let pause = Duration::from_millis(number(pause)?.into());
            knock(port, target, (number(count)?, pause))
        }),
        _ => Err(io::Error::other("wrong use: see the source's first lines")),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(io::stderr(), "beside: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Reads one request without a body, and answers it.
fn respond(mut from: impl Read, mut to: impl Write) -> io::Result<()> {
    let mut head = vec![0; 8192];
    let mut count = 0;
    while !head[..count].ends_with(b"\r\n\r\n") {
        match from.read(&mut head[count..])? {
            0 => return Ok(()),
            more => count += more,
        }
    }
    let line = String::from_utf8_lossy(&head[..count]);
    let body = bench_work::answer(line.split(' ').nth(1).unwrap_or("/"));
    let length = body.len();
    write!(to, "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}")?;
    to.flush()
}

fn serve(port: u16) -> io::Result<()> {
    for stream in TcpListener::bind((Ipv4Addr::LOCALHOST, port))?.incoming() {
        let stream = stream?;
        respond(&stream, io::BufWriter::new(&stream))?;
    }
    Ok(())
}

fn spawn(port: u16, program: &str, rest: &[&str]) -> io::Result<()> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))?;
    for count in 0.. {
        let socket = OwnedFd::from(listener.accept()?.0);
        let own = format!("{}-{count}", std::process::id());
        let mut command = Command::new(program);
        command.args(rest.iter().map(|word| word.replace("@n@", &own)));
        command.stdin(Stdio::from(socket.try_clone()?)).stdout(Stdio::from(socket));
        command.spawn()?.wait()?;
    }
    Ok(())
}

fn knock(port: u16, target: &str, (count, pause): (u16, Duration)) -> io::Result<()> {
    let request = format!("GET {target} HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\nconnection: close\r\n\r\n");
    let mut times = Vec::new();
    let mut last = Vec::new();
    for _ in 0..count {
        std::thread::sleep(pause);
        let begun = Instant::now();
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
        stream.set_nodelay(true)?;
        stream.write_all(request.as_bytes())?;
        let mut first = [0];
        while wait(&mut stream, &mut first)? {
            std::hint::spin_loop();
        }
        times.push(begun.elapsed().as_nanos());
        stream.set_nonblocking(false)?;
        stream.set_read_timeout(Some(Duration::from_secs(20)))?;
        last.clear();
        last.push(first[0]);
        stream.read_to_end(&mut last)?;
        if !last.starts_with(b"HTTP/1.1 200 ") {
            return Err(io::Error::other(String::from_utf8_lossy(&last)));
        }
    }
    let mut out = io::stdout();
    times.iter().try_for_each(|time| writeln!(out, "{time}"))
}

/// Whether the first byte is not there yet. A client that sleeps meanwhile would measure its own
/// awakening.
fn wait(stream: &mut TcpStream, first: &mut [u8; 1]) -> io::Result<bool> {
    stream.set_nonblocking(true)?;
    match stream.read(first) {
        Ok(0) => Err(io::Error::other("no answer")),
        Ok(_) => Ok(false),
        Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(true),
        Err(error) => Err(error),
    }
}
