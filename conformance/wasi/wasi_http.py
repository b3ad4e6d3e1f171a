#!/usr/bin/env python3
"""Runs the test programs for `wasi:http` of the Wasmtime project with Weir, and prints what passed.

    wasi_http.py [--weir PROGRAM] [--json FILE] [--only TEXT] FOLDER

FOLDER has them compiled for wasm32-wasip2: `p2_http_*`, `p3_http_*` and others of its
`crates/test-programs`. Programs that send requests are run by `weir run` against a server that mirrors
them; programs that answer requests become functions of one gateway. What is expected is what Wasmtime's
own tests expect. Exit code: 1 if a test failed.
"""

import argparse
import base64
import contextlib
import hashlib
import http.client
import http.server
import json
import pathlib
import socket
import subprocess
import sys
import tempfile
import threading
import time

TEST_SECONDS = 120
REASON_CHARACTERS = 300
# A sorta-random megabyte.
LARGE = bytes((at + 1) * 251 % 256 for at in range(1 << 20))
VERSES = {"/a": b"\xe2\x80\x99Twas brillig, and the slithy toves", "/b": b"Did gyre and gimble in the wabe:"}
NOT_APPLICABLE = {
    "p2_http_outbound_request_invalid_header": "it expects a header to be forbidden that only Wasmtime's test forbids",
    "p3_http_outbound_request_invalid_header": "as for 0.2",
    "p2_cli_serve_keyvalue": "it opens the bucket with the empty name, and maps have names",
    "p3_http_forbidden_headers": "it asks a host that no name server knows, which Wasmtime's test catches before",
    "p3_http_middleware": "one half of a composition",
    "p3_http_middleware_with_chain": "one half of a composition",
}
CONFIGURATION = {
    "p2_cli_serve_echo_env": {"environment": {"FOO": "bar"}},
    "p2_cli_serve_config": {"settings": {"hello": "world"}},
    "p2_cli_serve_sleep": {"limits": {"timeout": "200ms"}},
    "p3_cli_serve_sleep": {"limits": {"timeout": "200ms"}},
}


class Mirror(http.server.BaseHTTPRequestHandler):
    """Sends back what comes, and tells what it was."""

    protocol_version = "HTTP/1.1"

    def mirror(self):
        self.send_response(200)
        self.send_header("x-wasmtime-test-method", self.command)
        self.send_header("x-wasmtime-test-uri", self.path)
        if "chunked" in self.headers.get("transfer-encoding", ""):
            # The answer begins before the request has ended.
            self.send_header("transfer-encoding", "chunked")
            self.end_headers()
            return self.copy_chunks()
        body = VERSES.get(self.path) or self.rfile.read(int(self.headers.get("content-length", 0)))
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def copy_chunks(self):
        while line := self.rfile.readline():
            self.wfile.write(line)
            if count := int(line.split(b";")[0], 16):
                self.wfile.write(self.rfile.read(count) + self.rfile.readline())
                continue
            while line := self.rfile.readline().strip():
                self.wfile.write(line + b"\r\n")
            return self.wfile.write(b"\r\n")

    def __getattr__(self, name):
        if name.startswith("do_"):
            return self.mirror
        raise AttributeError(name)

    def log_message(self, *_):
        pass


class NoHttp1(Mirror):
    """What a server that speaks HTTP/2 only does to a request of HTTP/1.1."""

    def handle(self):
        self.rfile.readline()
        self.wfile.write(b"\0\0\0\4\0\0\0\0\0")


def served(handler, stack):
    """Starts a server; returns its port."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    stack.callback(server.shutdown)
    return server.server_port


# Programs that send requests


def client(program, options, ports):
    """Why a program failed; empty: it did not."""
    port = ports["no-http1" if program.stem.endswith(("invalid_version", "invalid_header")) else "mirror"]
    address = f"localhost:{port}"
    more = ["--allow", "some.invalid.dnsname:3000", "--allow", "localhost:6666", "--allow", "203.0.113.12"]
    return ran([options.weir, "run", "--env", f"HTTP_SERVER={address}", "--allow", address, *more, program])


def ran(command):
    """Why a command failed."""
    try:
        done = subprocess.run(command, capture_output=True, timeout=TEST_SECONDS, stdin=subprocess.DEVNULL)
    except subprocess.TimeoutExpired:
        return f"it ran longer than {TEST_SECONDS} s"
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip().replace("\n", " | ")
        return f"exit code {done.returncode}: {said[:REASON_CHARACTERS]}"
    return ""


def headers(program, options, _):
    """Fields without end are refused: by a trap in 0.2, by an error in 0.3."""
    for case in ("append", "append-empty", "append-same", "append-same-empty"):
        for version in ("p2", "p3"):
            done = subprocess.run([options.weir, "run", program, "--", f"{version}-{case}"], capture_output=True, timeout=TEST_SECONDS)
            fine = done.returncode == 134 if version == "p2" else (done.returncode, done.stdout) == (0, b"error received\n")
            if not fine:
                return f"{version}-{case}: exit code {done.returncode}, {done.stdout!r} {done.stderr[:REASON_CHARACTERS]!r}"
    return ""


# Programs that answer requests


def ask(port, method="GET", path="/", fields=(), body=None, **more):
    """Status, fields and body of an answer. `raw`: all of it as it was sent."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.putrequest(method, path, skip_host=any(name == "host" for name, _ in fields), skip_accept_encoding=True)
        for name, value in fields:
            connection.putheader(name, value)
        connection.endheaders(body, encode_chunked=more.get("chunked", False))
        answer = connection.getresponse()
        return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()
    finally:
        connection.close()


def says(text):
    """A check: this is answered to `GET /`."""
    return lambda port, _: expected((200, text), ask(port)[::2])


def fails(status):
    """A check: this status is answered, again and again."""
    return lambda port, _: "".join(expected(status, ask(port)[0]) for _ in range(2))


def expected(wanted, got):
    return "" if got == wanted else f"expected {wanted!r}, got {got!r}"[:REASON_CHARACTERS]


def variables(port, _):
    told = [ask(port, fields=[("env", name)]) for name in ("FOO", "BAR")]
    return expected([(200, "bar", b""), (200, None, b"")], [(status, fields.get("env"), body) for status, fields, body in told])


def streaming(port, ports):
    mirror = f"http://127.0.0.1:{ports['mirror']}"
    urls = [("url", f"{mirror}{path}") for path in VERSES] + [("url", "http://forbidden.com/")]
    status, _, body = ask(port, path="/hash-all", fields=urls)
    lines = dict(line.split(": ", 1) for line in body.decode().splitlines())
    hashed = lambda text: base64.b64encode(hashlib.sha256(text).digest()).decode().rstrip("=")
    wanted = {f"{mirror}{path}": hashed(text) for path, text in VERSES.items()}
    denied = lines.pop("http://forbidden.com/", "")
    problem = expected((200, wanted), (status, lines)) or ("" if "HttpRequestDenied" in denied else f"not denied: {denied}")
    kind = ("content-type", "application/octet-stream")
    chunks = lambda: [LARGE[at : at + 16384] for at in range(0, len(LARGE), 16384)]
    for path, more in (("/echo", []), ("/double-echo", [("url", f"{mirror}/echo")])):
        fields = [kind, ("transfer-encoding", "chunked"), *more]
        status, told, body = ask(port, "POST", path, fields, iter(chunks()), chunked=True)
        problem = problem or expected((200, kind[1], True), (status, told.get("content-type"), body == LARGE))
    return problem


def forwarded(port, ports):
    status, fields, body = ask(port, path="/b", fields=[("host", f"127.0.0.1:{ports['mirror']}")])
    return expected((200, "/b", VERSES["/b"]), (status, fields.get("x-wasmtime-test-uri"), body))


def echo(port, _):
    """Fields, body and trailers come back, whether the guest copies or hands on."""
    for extra in ("", "x-host-to-host: true\r\n"):
        with contextlib.closing(socket.create_connection(("127.0.0.1", port), 30)) as stream:
            head = f"POST / HTTP/1.1\r\nhost: localhost\r\nfoo: bar\r\nte: trailers\r\ntrailer: fizz\r\nconnection: close\r\ntransfer-encoding: chunked\r\n{extra}\r\n"
            stream.sendall(head.encode() + b"1b\r\nAnd the mome raths outgrabe\r\n0\r\nfizz: buzz\r\n\r\n")
            answer = b"".join(iter(lambda: stream.recv(65536), b"")).lower()
        for part in (b"http/1.1 200 ", b"\r\nfoo: bar\r\n", b"and the mome raths outgrabe", b"\r\nfizz: buzz\r\n"):
            if part not in answer:
                return f"{part!r} is not in {answer!r}"
    return ""


def proxied(port, ports):
    fields = [("url", f"http://127.0.0.1:{ports['mirror']}/"), ("content-length", "27")]
    status, _, body = ask(port, "POST", "/", fields, b"And the mome raths outgrabe")
    return expected((200, b"And the mome raths outgrabe"), (status, body))


SERVERS = {
    "p2_cli_serve_hello_world": says(b"Hello, WASI!"),
    "p3_cli_serve_hello_world": says(b"Hello, WASI!"),
    "p2_cli_serve_config": says(b"world"),
    "p2_cli_serve_with_print": says(b""),
    "p3_cli_serve_post_return": says(b""),
    "p2_cli_serve_echo_env": variables,
    "p2_cli_serve_authority_and_scheme": lambda port, _: expected(200, ask(port, fields=[("host", "localhost")])[0]),
    "p2_cli_serve_return_before_set": fails(500),
    "p2_cli_serve_trap_before_set": fails(500),
    "p2_cli_serve_sleep": fails(504),
    "p3_cli_serve_sleep": fails(504),
    "p2_api_proxy": says(b"hello, world!"),
    "p3_api_proxy": says(b"hello, world!"),
    "p2_api_proxy_forward_request": forwarded,
    "p2_api_proxy_streaming": streaming,
    "p3_http_echo": echo,
    "p3_http_proxy": proxied,
}
# What programs print, which the gateway has to log.
PRINTS = {
    "p2_cli_serve_with_print": ["this is half a print to stdout", "after empty", "this is half a print to stderr", "start a print 1234"],
    "p3_cli_serve_post_return": ["please see me"],
}


def gateway(programs, options, ports, stack):
    """Starts a gateway with a port for each program: ports by name, and its log."""
    folder = pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory()))
    own = {}
    for program in programs:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            own[program.stem] = probe.getsockname()[1]
    grants = {"http": [f"127.0.0.1:{ports['mirror']}"]}
    configuration = {
        "workers": 1,
        "code_cache": "off",
        "listeners": [{"address": f"127.0.0.1:{port}", "routes": [{"function": name}]} for name, port in own.items()],
        "modules": {program.stem: {"file": str(program)} for program in programs},
        "functions": {name: {"module": name, "kind": "http", "grants": grants} | CONFIGURATION.get(name, {}) for name in own},
    }
    file, log = folder / "weir.yaml", folder / "log"
    file.write_text(json.dumps(configuration))
    process = subprocess.Popen([options.weir, "serve", file], stdout=log.open("wb"), stderr=subprocess.STDOUT)
    stack.callback(lambda: (process.terminate(), process.wait()))
    until = time.monotonic() + TEST_SECONDS
    while "the gateway serves" not in log.read_text():
        if process.poll() is not None or time.monotonic() > until:
            sys.exit(f"the gateway does not serve:\n{log.read_text()[-3000:]}")
        time.sleep(0.05)
    return own, log


def served_well(name, port, ports, log):
    """Why a program that answers failed."""
    begun = len(log.read_text())
    try:
        problem = SERVERS[name](port, ports)
    except (OSError, http.client.HTTPException, ValueError) as error:
        problem = f"{error.__class__.__name__}: {error}"
    until = time.monotonic() + 5
    missing = PRINTS.get(name, [])
    while missing and time.monotonic() < until:
        said = log.read_text()[begun:]
        missing = [line for line in missing if line not in said]
        time.sleep(0.02)
    if missing:
        problem = problem or f"not in the log: {missing}"
    if problem:
        lines = [line for line in log.read_text()[begun:].splitlines() if "WARN" in line or "ERROR" in line]
        problem += f" | {lines[0][:REASON_CHARACTERS]}" if lines else ""
    return problem


# All


def tested(programs, options, stack):
    """Outcome and reason by program."""
    ports = {"mirror": served(Mirror, stack), "no-http1": served(NoHttp1, stack)}
    servers = [program for program in programs if program.stem in SERVERS]
    own, log = gateway(servers, options, ports, stack) if servers else ({}, None)
    results = {}
    for program in programs:
        name = program.stem
        if name in NOT_APPLICABLE:
            results[name] = ("not applicable", NOT_APPLICABLE[name])
            continue
        if name in own:
            reason = served_well(name, own[name], ports, log)
        else:
            reason = (headers if name == "p2_cli_http_headers" else client)(program, options, ports)
        results[name] = ("failed", reason) if reason else ("passed", "")
    return results


def main():
    parser = argparse.ArgumentParser(description="Run Wasmtime's test programs for wasi:http with Weir.")
    parser.add_argument("folder", type=pathlib.Path, metavar="FOLDER")
    parser.add_argument("--weir", default="weir", help="the program")
    parser.add_argument("--json", type=pathlib.Path, help="where results for programs go")
    parser.add_argument("--only", default="", help="programs whose names contain this")
    options = parser.parse_args()
    patterns = ("p?_http_*.wasm", "p?_cli_serve_*.wasm", "p?_api_proxy*.wasm", "p2_cli_http_headers.wasm")
    found = {path.resolve() for pattern in patterns for path in options.folder.glob(pattern)}
    programs = sorted(path for path in found if options.only in path.stem)
    if not programs:
        sys.exit("no compiled test programs there")
    with contextlib.ExitStack() as stack:
        results = tested(programs, options, stack)
    for version in ("p2", "p3"):
        outcomes = [outcome for name, (outcome, _) in results.items() if name.startswith(version)]
        told = ", ".join(f"{outcomes.count(outcome)} {outcome}" for outcome in ("passed", "failed", "not applicable"))
        print(f"wasi:http 0.{version[1]}: {told}")
    for name, (outcome, reason) in results.items():
        if outcome != "passed":
            print(f"{outcome}: {name}: {reason}")
    if options.json:
        options.json.write_text(json.dumps(results, indent=1) + "\n")
    sys.exit(any(outcome == "failed" for outcome, _ in results.values()))


if __name__ == "__main__":
    main()
