#!/usr/bin/env python3
"""Compares how soon Weir and Envoy answer through a plugin, and what many plugins weigh.

    bench/start.py first --module plugin.wasm --configuration plugin.json --header x-resp-added
    bench/start.py many  --module headers.wasm --header x-filtered --count 50

`first`: the time from the start of the process to the first answer in which the plugin's header
stands. Cold: no compiled code is there. Warm: what an earlier start left is. Envoy has no such store,
so it is always cold. Rounds take turns: Weir cold, Weir warm, Envoy.
`many`: memory with COUNT modules of different content in one chain, less memory with none. The modules
are made from one by a custom section with a number. Weir is measured when its compilers rest.

Needs Envoy, Python's standard library, Linux. What the machine does besides falls on both alike;
README.md says how much that was.
"""

import argparse
import contextlib
import http.client
import http.server
import json
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time

from compare import Problem, for_envoy, free_port, leb

ANSWER = b'{"secret": 1, "kept": 2}'
TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")


class Upstream(http.server.BaseHTTPRequestHandler):
    """Answers everything with the same small document."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(ANSWER)))
        self.end_headers()
        self.wfile.write(ANSWER)

    def log_message(self, *_):
        pass


def answered(port, header):
    """Whether the answer to one request carries the plugin's header."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request("GET", "/get", headers={"host": "example.com"})
        answer = connection.getresponse()
        answer.read()
        return answer.status == 200 and (header is None or answer.getheader(header) is not None)
    finally:
        connection.close()


def until_answered(port, header, process, log, seconds=120):
    """Asks every millisecond. An answer without the plugin's header is a failure, not a wait."""
    until = time.perf_counter() + seconds
    while time.perf_counter() < until:
        if process.poll() is not None:
            raise Problem(f"{process.args[0]} ended with {process.returncode}:\n{log.read_text()[-3000:]}")
        try:
            if not answered(port, header):
                raise Problem(f"{process.args[0]}: an answer without the plugin:\n{log.read_text()[-3000:]}")
            return time.perf_counter()
        except (OSError, http.client.HTTPException):
            time.sleep(0.001)
    raise Problem(f"{process.args[0]} did not answer within {seconds} s:\n{log.read_text()[-3000:]}")


def busy_ms(pid):
    """Processor time of a process so far: its threads that ended included."""
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) * 1000 / TICKS_PER_SECOND


def proportional_kib(pid):
    """Memory of a process, shared pages by their share."""
    for line in pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1])
    raise Problem("this system tells no Pss")


def weir_configuration(work, port, upstream, modules, arguments):
    """Weir's configuration: one chain of all modules."""
    plugin = json.loads(arguments.configuration.read_text()) if arguments.configuration else None
    filters = {name: {"module": name} | ({"configuration": plugin} if plugin is not None else {}) for name in modules}
    return {
        "workers": arguments.workers,
        "code_cache": {"path": str(work / "cache")},
        "listeners": [{
            "name": "bench",
            "address": f"127.0.0.1:{port}",
            "access_log": "off",
            "routes": [{"forward": {"cluster": "upstream"}, "filters": list(modules)}],
        }],
        "clusters": {"upstream": {"endpoints": [f"127.0.0.1:{upstream}"]}},
        "modules": {name: {"file": str(path)} for name, path in modules.items()},
        "filters": filters,
    }


def envoy_filter(name, path, arguments):
    """One of Envoy's Wasm filters."""
    config = {
        "name": name,
        "failure_policy": "FAIL_CLOSED",
        "vm_config": {"vm_id": name, "runtime": "envoy.wasm.runtime.v8", "code": {"local": {"filename": str(path)}}},
    }
    if arguments.configuration:
        text = arguments.configuration.read_text()
        config["configuration"] = {"@type": "type.googleapis.com/google.protobuf.StringValue", "value": text}
    wasm = {"@type": "type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm", "config": config}
    return {"name": f"envoy.filters.http.wasm.{name}", "typed_config": wasm}


def envoy_configuration(work, port, upstream, modules, arguments):
    """Envoy's configuration of the same."""
    api = "type.googleapis.com/envoy.extensions.filters"
    router = {"name": "router", "typed_config": {"@type": f"{api}.http.router.v3.Router"}}
    routes = [{"match": {"prefix": "/"}, "route": {"cluster": "upstream"}}]
    manager = {
        "@type": f"{api}.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "bench",
        "http_filters": [*(envoy_filter(name, path, arguments) for name, path in modules.items()), router],
        "route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": routes}]},
    }
    chain = {"filters": [{"name": "manager", "typed_config": manager}]}
    at = lambda number: {"socket_address": {"address": "127.0.0.1", "port_value": number}}
    endpoint = {"endpoint": {"address": at(upstream)}}
    cluster = {
        "name": "upstream",
        "type": "STATIC",
        "load_assignment": {"cluster_name": "upstream", "endpoints": [{"lb_endpoints": [endpoint]}]},
    }
    listener = {"name": "bench", "address": at(port), "filter_chains": [chain]}
    return {"static_resources": {"listeners": [listener], "clusters": [cluster]}}


@contextlib.contextmanager
def gateway(name, work, upstream, modules, arguments):
    """Runs one gateway until its first answer through all modules: process, milliseconds until then."""
    port, log, file = free_port(), work / f"{name}.log", work / f"{name}.json"
    make = {"weir": weir_configuration, "envoy": envoy_configuration}[name]
    file.write_text(json.dumps(make(work, port, upstream, modules, arguments)))
    command = {
        "weir": [arguments.weir, "serve", "--log", "info", file],
        "envoy": [arguments.envoy, "-c", file, "--concurrency", str(arguments.workers), "--disable-hot-restart", "-l", "error"],
    }[name]
    with log.open("wb") as sink:
        started = time.perf_counter()
        process = subprocess.Popen(list(map(str, command)), stdin=subprocess.DEVNULL, stdout=sink, stderr=sink)
    try:
        header = arguments.header if modules else None
        took = (until_answered(port, header, process, log) - started) * 1e3
        yield process, took
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def rested(process, seconds=300):
    """Waits until a process has hardly worked for a second: its background compilers have ended."""
    until = time.perf_counter() + seconds
    while time.perf_counter() < until:
        before = busy_ms(process.pid)
        time.sleep(1)
        if busy_ms(process.pid) - before <= 30:
            return
    raise Problem(f"{process.args[0]} is never at rest")


def summary(values):
    """Median, least and greatest."""
    return {"median": statistics.median(values), "min": min(values), "max": max(values), "all": values}


def told(title, figures, unit):
    """One line of a table."""
    print(f"| {title} | {figures['median']:.2f} ({figures['min']:.2f}–{figures['max']:.2f}) {unit} |", flush=True)


def first(arguments, work, upstream):
    """Start to first filtered answer."""
    modules = {"weir": {"plugin": arguments.module}, "envoy": {"plugin": for_envoy(arguments.module, work)}}
    seen = {"weir cold": [], "weir warm": [], "envoy": []}
    busy = {name: [] for name in seen}
    for _ in range(arguments.rounds):
        shutil.rmtree(work / "cache", ignore_errors=True)
        for case, name in (("weir cold", "weir"), ("weir warm", "weir"), ("envoy", "envoy")):
            with gateway(name, work, upstream, modules[name], arguments) as (process, took):
                seen[case].append(took)
                busy[case].append(busy_ms(process.pid))
                if case == "weir cold":
                    rested(process)
    pairs = lambda case: [one / other for one, other in zip(seen[case], seen["envoy"])]
    figures = {f"{case}, wall": summary(values) for case, values in seen.items()}
    figures |= {f"{case}, processor until then": summary(values) for case, values in busy.items()}
    for title, each in figures.items():
        told(title, each, "ms")
    ratios = {f"{case} / envoy": summary(pairs(case)) for case in ("weir cold", "weir warm")}
    for title, each in ratios.items():
        told(title, each, "")
    return figures | ratios


def distinct(module, number, folder):
    """The same module with another content: a custom section with a number is put at its end."""
    body = leb(len(b"bench")) + b"bench" + str(number).encode()
    path = folder / f"{number}.wasm"
    path.write_bytes(module.read_bytes() + b"\0" + leb(len(body)) + body)
    return path


def many(arguments, work, upstream):
    """Growth of memory by many plugins."""
    folder = work / "modules"
    folder.mkdir()
    modules = {f"plugin-{n}": distinct(arguments.module, n, folder) for n in range(arguments.count)}
    growth, starts = {"weir": [], "envoy": []}, {"weir": [], "envoy": []}
    for _ in range(arguments.rounds):
        shutil.rmtree(work / "cache", ignore_errors=True)
        for name in growth:
            sizes = []
            for chosen in ({}, modules):
                with gateway(name, work, upstream, chosen, arguments) as (process, took):
                    rested(process)
                    sizes.append(proportional_kib(process.pid) / 1024)
            growth[name].append(sizes[1] - sizes[0])
            starts[name].append(took)
    figures = {f"{name}, growth": summary(values) for name, values in growth.items()}
    for title, each in figures.items():
        told(title, each, "MiB")
    for name, values in starts.items():
        figures[f"{name}, start"] = summary(values)
        told(f"{name}, start", figures[f"{name}, start"], "ms")
    ratio = summary([one / other for one, other in zip(growth["weir"], growth["envoy"])])
    told("growth, weir / envoy", ratio, "")
    return figures | {"growth, weir / envoy": ratio}


def main():
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command", choices=["first", "many"])
    parser.add_argument("--module", type=pathlib.Path, required=True)
    parser.add_argument("--configuration", type=pathlib.Path, help="the plugin's configuration, JSON")
    parser.add_argument("--header", required=True, help="a response header that only the plugin sets")
    parser.add_argument("--weir", default="target/dist/weir")
    parser.add_argument("--envoy", default="envoy")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--count", type=int, default=50)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--out", type=pathlib.Path, help="all figures, JSON")
    arguments = parser.parse_args()
    arguments.module = arguments.module.resolve()
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Upstream)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with tempfile.TemporaryDirectory() as work:
        run = {"first": first, "many": many}[arguments.command]
        try:
            figures = run(arguments, pathlib.Path(work), server.server_port)
        except Problem as problem:
            sys.exit(str(problem))
    if arguments.out:
        arguments.out.write_text(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
