#!/usr/bin/env python3
"""Compares functions with what else answers requests: processes, containers, Node, other runtimes.

    bench/functions.py --weir target/dist/weir --wasmtime wasmtime --workerd workerd

One handler, `functions/work`, as a core module, as components of wasi:http 0.2 and 0.3, as a native
program and in JavaScript (`functions/work.mjs`). Before anything is measured, all must answer alike.

`cold`        from before the client connects to the first byte of the answer, one request at a time, each
              on a connection of its own, nothing that runs the handler being there yet.
`cpu`         handlers that compute: the same time, of warm servers.
`throughput`  requests a second and processor time for one, 64 connections that ask again and again.
`memory`      of the gateway before, during and after a burst.

Servers have processor 0, the client has processor 1; rounds take turns. Needs Linux with two
processors, wrk, cargo with the targets wasm32-unknown-unknown and wasm32-wasip2; what of crun, Node,
Wasmtime and workerd is not there is left out. README.md tells what is what.
"""

import argparse
import contextlib
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

import compare
from compare import GATEWAY_CPU, LOAD_CPU, BENCH, Problem, ask, busy_ns, end, expect, free_port, paired, print_head, print_row, resident_mib, span, summary

SOURCES = BENCH / "functions"
KINDS = {"core": "wasm32-unknown-unknown/release/bench_plain.wasm", "0.2": "wasm32-wasip2/release/bench_http2.wasm", "0.3": "wasm32-wasip2/release/bench_http3.wasm"}
WORK = ["/edges?1024", "/sha256?1024", "/mandelbrot?256"]
WEIR = """workers: 1
listeners:
{listeners}
modules: {{ {modules} }}
functions: {{ {functions} }}
code_cache: {{ path: "{work}/cache" }}
"""
LISTENER = '- {{ address: "127.0.0.1:{port}", access_log: off, request_id: false, routes: [{{ function: "{kind}" }}] }}'
# What a request finds there, by the name of a server.
NATIVE, NODE, CONTAINER = "native process", "Node process", "crun container"
NEW_EACH = ["--max-instance-reuse-count", "1"]


class Server:
    """Something that answers on a port. `found`: what of the handler is there when a request comes."""

    def __init__(self, name, found, port, process, log):
        self.name, self.found, self.port, self.process, self.log = name, found, port, process, log

    def round(self, seconds, arguments):
        """One round of load."""
        before = busy_ns(self.process.pid)
        requests, micros, p50, p99, errors = compare.load(self.port, "/", seconds, arguments)
        expect(f"{self.name}: errors", errors, 0)
        cpu_us = (busy_ns(self.process.pid) - before) / 1e3 / requests
        return {"rps": requests / micros * 1e6, "cpu_us": cpu_us, "p50_ms": p50 / 1e3, "p99_ms": p99 / 1e3}


class Bench:
    """Builds the handlers and starts what serves them."""

    def __init__(self, arguments, work, stack):
        self.arguments, self.work, self.stack = arguments, work, stack
        self.target = arguments.target.resolve()
        self.beside = self.target / "release/bench-beside"
        self.build()

    def build(self):
        """Compiles the native program and the three guests."""
        jobs = [("bench-beside", None, "+crt-static"), ("bench-plain", "wasm32-unknown-unknown", "+simd128")]
        jobs += [(package, "wasm32-wasip2", "+simd128") for package in ("bench-http2", "bench-http3")]
        for package, target, features in jobs:
            command = ["cargo", "build", "--quiet", "--locked", "--release", "--package", package, "--target-dir", str(self.target)]
            environment = {"RUSTFLAGS": f"-C target-feature={features}"}
            command += ["--target", target] if target else []
            subprocess.run(command, cwd=SOURCES, env=os.environ | environment, check=True)

    def start(self, name, found, command, port=None):
        """Starts a server and waits until its port is open. `@port@` in its command is the port."""
        port = port or free_port()
        log = self.work / f"{name.replace(' ', '-')}-{port}.log"
        words = [str(word).replace("@port@", str(port)) for word in command]
        process = compare.spawn(words, GATEWAY_CPU, self.arguments, log.open("wb"))
        self.stack.callback(end, process)
        server = Server(name, found, port, process, log)
        until = time.monotonic() + 60
        while time.monotonic() < until and process.poll() is None:
            with contextlib.suppress(OSError):
                if ask(port, "/")[0] == 200:
                    return server
            time.sleep(0.01)
        raise Problem(f"{name} does not answer:\n{log.read_text()[-2000:]}")

    def weir(self):
        """A gateway with three functions, each on a port of its own."""
        ports = {kind: free_port() for kind in KINDS}
        configuration = self.work / "weir.yaml"
        each = lambda text: ", ".join(text.format(kind=kind, path=self.target / path) for kind, path in KINDS.items())
        configuration.write_text(WEIR.format(
            listeners="\n".join(LISTENER.format(kind=kind, port=port) for kind, port in ports.items()),
            modules=each('"{kind}": {{ file: "{path}" }}'), functions=each('"{kind}": {{ module: "{kind}" }}'), work=self.work,
        ))
        command = [self.arguments.weir, "serve", "--log", "warn", configuration]
        first = self.start("weir core", "no instance", command, ports["core"])
        rest = [Server(f"weir {kind}", first.found, ports[kind], first.process, first.log) for kind in ("0.2", "0.3")]
        return [first, *rest]

    def wasmtime(self):
        """`wasmtime serve` with code compiled before; of 0.3 also as it is without options."""
        program, servers = self.arguments.wasmtime, []
        for kind in ("0.2", "0.3") if program else ():
            code = self.work / f"{kind}.cwasm"
            subprocess.run([program, "compile", self.target / KINDS[kind], "-o", code], check=True)
            command = [program, "serve", "-Scli", "--allow-precompiled", "--addr", "127.0.0.1:@port@"]
            servers.append(self.start(f"wasmtime {kind}", "no instance", [*command, *NEW_EACH, code]))
            if kind == "0.3":
                servers.append(self.start("wasmtime 0.3, reused", "an instance", [*command, code]))
        return servers

    def javascript(self):
        """Servers in JavaScript: workerd and Node."""
        servers = []
        if self.arguments.workerd:
            folder = self.work / "workerd"
            shutil.copytree(SOURCES, folder, ignore=shutil.ignore_patterns("target"))
            port, file = free_port(), folder / "workerd.capnp"
            file.write_text(file.read_text().replace("@port@", str(port)))
            servers.append(self.start("workerd", "the isolate", [self.arguments.workerd, "serve", file], port))
        if self.arguments.node:
            servers.append(self.start("Node", "all", [self.arguments.node, SOURCES / "node.mjs", "@port@"]))
        return servers

    def native(self):
        """The native server."""
        return [self.start("native", "all", [self.beside, "serve", "@port@"])]

    def processes(self):
        """Who starts a process for each request."""
        spawn = [self.beside, "spawn", "@port@"]
        servers = [self.start(NATIVE, "no process", [*spawn, self.beside, "once"])]
        if self.arguments.node:
            servers.append(self.start(NODE, "no process", [*spawn, self.arguments.node, SOURCES / "node.mjs"]))
        if self.arguments.crun:
            bundle = self.bundle()
            run = [*spawn, self.arguments.crun, "--cgroup-manager=disabled", "run", "--bundle", bundle, "bench-@n@"]
            if not pathlib.Path("/sys/fs/cgroup/cgroup.controllers").exists():
                # It knows only the second version of control groups.
                own = 'umount -R /sys/fs/cgroup && mount -t cgroup2 none /sys/fs/cgroup && exec "$@"'
                run = ["unshare", "--mount", "sh", "-c", own, "sh", *run]
            servers.append(self.start(CONTAINER, "no container", run))
        return servers

    def bundle(self):
        """A container with the native program and nothing else."""
        bundle = self.work / "bundle"
        (bundle / "rootfs").mkdir(parents=True)
        shutil.copy(self.beside, bundle / "rootfs/once")
        subprocess.run([self.arguments.crun, "spec"], cwd=bundle, check=True)
        file = bundle / "config.json"
        configuration = json.loads(file.read_text())
        configuration["process"] |= {"terminal": False, "args": ["/once", "once"]}
        file.write_text(json.dumps(configuration))
        return bundle

    def knock(self, server, target, count, pause):
        """Microseconds until the first byte of the answer, of a number of requests."""
        command = [self.beside, "knock", server.port, target, count, pause]
        told = self.work / "told"
        with told.open("wb") as sink:
            process = compare.spawn([str(word) for word in command], LOAD_CPU, self.arguments, sink)
            if process.wait():
                raise Problem(f"{server.name} {target}: {told.read_text()}{server.log.read_text()[-2000:]}")
        return [int(time) / 1e3 for time in told.read_text().splitlines()]

    def prove(self, servers, targets):
        """All answer the same."""
        for target in targets:
            wanted = ask(servers[0].port, target)[2]
            for server in servers[1:]:
                expect(f"{server.name} {target}", ask(server.port, target)[2], wanted)


def spread(times):
    """Figures of times: the middle, and the middle half."""
    quarter, middle, most = statistics.quantiles(times, n=4)
    return {"median": middle, "p25": quarter, "p75": most, "min": min(times), "count": len(times)}


def cold(bench, arguments):
    """Times to the first byte when nothing that runs the handler is there."""
    servers = [*bench.weir(), *bench.wasmtime(), *bench.javascript(), *bench.processes(), *bench.native()]
    bench.prove(servers, ["/"])
    times = {server.name: [] for server in servers}
    for number in range(arguments.rounds + 1):
        for server in servers:
            slow = server.name in (NODE, CONTAINER)
            more = bench.knock(server, "/", 5 if slow else arguments.requests, 2)
            if number:
                times[server.name] += more
    rows = []
    print_head(["case", "is there before", "requests", "median µs", "middle half", "least", "weir core by it", "weir 0.2 by it"])
    middle = {name: statistics.median(values) for name, values in times.items()}
    for server in servers:
        figures = spread(times[server.name])
        ratios = [middle[ours] / figures["median"] for ours in ("weir core", "weir 0.2")]
        print_row([server.name, server.found, str(figures["count"]), f"{figures['median']:.0f}", f"{figures['p25']:.0f}–{figures['p75']:.0f}", f"{figures['min']:.0f}", *(f"{ratio:.3f}" for ratio in ratios)])
        rows.append({"case": server.name, "found": server.found, "us": figures})
    return rows


def cpu(bench, arguments):
    """Handlers that compute."""
    servers = [*bench.weir(), *bench.wasmtime()[:1], *bench.javascript(), *bench.native()]
    bench.prove(servers, WORK)
    rows = []
    print_head(["case", "handler", "median ms", "middle half", "by Node"])
    for target in WORK:
        rounds = {server.name: [] for server in servers}
        for number in range(arguments.rounds + 1):
            for server in servers:
                # The first round is for compilers that wait until code is used often.
                times = bench.knock(server, target, 20 if number == 0 else 3, 2)
                if number:
                    rounds[server.name].append({"ms": statistics.median(times) / 1e3})
        for server in servers:
            each = [one["ms"] for one in rounds[server.name]]
            row = {"case": server.name, "target": target, "ms": spread(each) if len(each) > 1 else each}
            if "Node" in rounds:
                row["ratio"] = paired(rounds[server.name], rounds["Node"], "ms")
            rows.append(row)
            half = f"{row['ms']['p25']:.2f}–{row['ms']['p75']:.2f}"
            print_row([server.name, target, f"{row['ms']['median']:.2f}", half, span(row["ratio"]) if "ratio" in row else ""])
    return rows


def throughput(bench, arguments):
    """Requests a second on one processor."""
    servers = [*bench.weir(), *bench.wasmtime(), *bench.javascript(), *bench.native()[:0]]
    bench.prove(servers, ["/"])
    for server in servers:
        server.round(1, arguments)
    rounds = {server.name: [] for server in servers}
    for _ in range(arguments.rounds):
        for server in servers:
            rounds[server.name].append(server.round(arguments.seconds, arguments))
    beside = {"weir core": "wasmtime 0.2", "weir 0.2": "wasmtime 0.2", "weir 0.3": "wasmtime 0.3"}
    rows = []
    print_head(["case", "is there before", "req/s", "spread", "µs a request", "p50 ms", "p99 ms", "MiB", "rate by Wasmtime's", "µs by Wasmtime's"])
    for server in servers:
        own, other = rounds[server.name], rounds.get(beside.get(server.name))
        row = {"case": server.name, "found": server.found, "mib": resident_mib(server.process.pid), "rounds": own}
        row |= {figure: summary([each[figure] for each in own]) for figure in own[0]}
        row["ratio"] = {figure: paired(own, other, figure) for figure in ("rps", "cpu_us")} if other else {}
        rows.append(row)
        ratios = [span(row["ratio"][figure]) if other else "" for figure in ("rps", "cpu_us")]
        middle = {figure: row[figure]["median"] for figure in own[0]}
        print_row([server.name, server.found, f"{middle['rps']:.0f}", f"{row['rps']['spread']:.0f} %", f"{middle['cpu_us']:.1f}", f"{middle['p50_ms']:.2f}", f"{middle['p99_ms']:.2f}", f"{row['mib']:.0f}", *ratios])
    return rows


def memory(bench, arguments):
    """Memory of a gateway around a burst of calls that each hold some."""
    server = bench.weir()[1]
    pid, rows = server.process.pid, []
    print_head(["case", "MiB before", "most MiB", "MiB 1 s after", "MiB 10 s after", "the rest MiB"])
    for kib in (64, 1024):
        before, most = resident_mib(pid), [0.0]
        over = threading.Event()

        def watch():
            while not over.wait(0.01):
                most[0] = max(most[0], resident_mib(pid))

        watcher = threading.Thread(target=watch)
        watcher.start()
        url = f"http://127.0.0.1:{server.port}/hold?{kib}"
        burst = [sys.executable, BENCH / "burst.py", url, "--requests", arguments.burst, "--deadline", 30]
        done = subprocess.run([str(word) for word in burst], capture_output=True, text=True)
        over.set()
        watcher.join()
        if done.returncode:
            raise Problem(f"{done.stdout}{done.stderr}")
        time.sleep(1)
        soon = resident_mib(pid)
        time.sleep(9)
        late = resident_mib(pid)
        rows.append({"kib": kib, "before": before, "most": most[0], "soon": soon, "late": late, "answers": done.stdout})
        print_row([f"{arguments.burst} calls with {kib} KiB each", f"{before:.0f}", f"{most[0]:.0f}", f"{soon:.0f}", f"{late:.0f}", f"{late - before:.1f}"])
    return rows


PARTS = {"cold": cold, "cpu": cpu, "throughput": throughput, "memory": memory}


def parsed():
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", default=list(PARTS), metavar="PART", help=", ".join(PARTS))
    parser.add_argument("--weir", default=compare.weir_by_default())
    for peer in ("wasmtime", "workerd", "node", "crun"):
        parser.add_argument(f"--{peer}", metavar="PATH", default=shutil.which(peer), help="default: the one on PATH")
    parser.add_argument("--target", type=pathlib.Path, default=SOURCES / "target", help="where the handlers are built")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--requests", type=int, default=50, help="of a round of `cold`")
    parser.add_argument("--seconds", type=int, default=2, help="of a round of `throughput`")
    parser.add_argument("--conns", type=int, default=64)
    parser.add_argument("--burst", type=int, default=1000)
    parser.add_argument("--nice", type=int, default=0, help="of everything measured; below 0 needs root")
    parser.add_argument("--out", type=pathlib.Path, help="also write everything as JSON")
    arguments = parser.parse_args()
    if unknown := set(arguments.parts) - set(PARTS):
        parser.error(f"unknown: {', '.join(unknown)}; known: {', '.join(PARTS)}")
    return arguments


def main():
    """Measures the parts one after the other."""
    arguments, rows = parsed(), {}
    for part in arguments.parts:
        with tempfile.TemporaryDirectory() as work, contextlib.ExitStack() as stack:
            arguments.work = work
            rows[part] = PARTS[part](Bench(arguments, pathlib.Path(work), stack), arguments)
            print(flush=True)
    if arguments.out:
        arguments.out.write_text(json.dumps({"when": time.strftime("%F %T"), "parts": rows}, indent=1))


if __name__ == "__main__":
    try:
        main()
    except Problem as problem:
        sys.exit(f"functions: {problem}")
