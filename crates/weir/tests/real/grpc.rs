//! A plugin and a gRPC server of the usual kind: Google's library, from Python.
//!
//! `WEIR_PYTHON` is a Python that has the package `grpcio`.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

use serde_json::json;
use tempfile::TempDir;

use crate::all::harness::Gateway;
use crate::component;

const GUEST: &str = include_str!("grpc.wat");
const SERVER: &str = include_str!("grpc_server.py");

/// A running server; it ends with this value, whose end closes its standard input.
struct Server {
    child: Child,
    port: u16,
}

impl Server {
    fn start() -> Self {
        let mut child = Command::new(component("WEIR_PYTHON"))
            .args(["-c", SERVER])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("Python can be started");
        let output = child.stdout.take().expect("a pipe");
        let mut line = String::new();
        let read = BufReader::new(output).read_line(&mut line);
        read.expect("the server's first line");
        let port = line.trim().parse();
        let port = port.unwrap_or_else(|_| panic!("no port: {line:?}; is grpcio there?"));
        Self { child, port }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // A server that has ended already is what is wanted.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn calls_and_streams_are_answered() {
    let server = Server::start();
    let folder = TempDir::new().expect("a folder can be made");
    let module = folder.path().join("grpc.wasm");
    let code = wat::parse_str(GUEST).expect("the guest is WebAssembly");
    std::fs::write(&module, code).expect("the folder can be written");
    let site = format!(
        "workers: 1\n\
         listeners:\n\
         \x20 - address: 127.0.0.1:0\n\
         \x20   routes: [{{ filters: [talk], respond: {{ status: 200 }} }}]\n\
         clusters: {{ talk: {{ endpoints: [\"127.0.0.1:{}\"], protocol: http2 }} }}\n\
         modules: {{ talk: {{ file: {} }} }}\n\
         filters: {{ talk: {{ module: talk }} }}\n",
        server.port,
        json!(module),
    );
    let gateway = Gateway::start(&site);
    assert_eq!(gateway.get("/", "").status(), 200);
    for line in [
        // The server got the two bytes of the metadata as they were.
        "said hello 00ff",
        "no such thing: 100 %25{via_upstream}",
        "a long one",
        "heard one",
        "heard two",
        // What no server of gRPC leaves out: a method that it does not have.
        "Method not found!{via_upstream}",
    ] {
        gateway.logged(line);
    }
    // Of the stream: trailing metadata, and an end without a message.
    gateway.logged(" t plugin=");
    gateway.logged(" via_upstream plugin=");
    gateway.end();
}
