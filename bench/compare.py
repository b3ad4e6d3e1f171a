#!/usr/bin/env python3
"""Compares what a request costs in Weir and in Envoy, on one machine, side by side.

    bench/compare.py             rounds under load: processor time per request, rate, latency
    bench/compare.py start       time from the start to the first answer, and memory

All gateways of all cases are up at once, and rounds take turns: Weir, Envoy, Weir, Envoy. So the two
of a pair are measured within seconds of each other, and what else the machine does falls on both.
The gateway has processor 0 for itself; the upstream (nginx) and the load (wrk) share processor 1.
Before anything is measured, every filter must prove that it does its work.

Needs nginx, wrk and Envoy; Python's standard library; Linux. README.md tells more.
"""

import argparse
import contextlib
import http.client
import json
import os
import pathlib
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time

BENCH = pathlib.Path(__file__).resolve().parent
CASES = ["plain", "noop", "headers", "body", "shared", "cpu", "crash"]
ISOLATIONS = ["module", "plugin", "configuration", "request", "process"]
# What the plugin of `--plugin` is told, and what then shows that it works.
ADDS = {"operate": "add", "headers": [{"key": "x-added", "value": "yes"}]}
PLUGIN = {"reqRules": [ADDS], "respRules": [ADDS]}
FILES = {"/small": 100, "/big": 64 * 1024}
GATEWAY_CPU, LOAD_CPU = 0, 1
# What wrk tells at the end, one line: counts, microseconds, errors.
TELL = """
done = function(summary, latency, requests)
  local e = summary.errors
  io.write(string.format("told %d %d %d %d %d\\n", summary.requests, summary.duration,
    latency:percentile(50), latency:percentile(99), e.connect + e.read + e.write + e.status + e.timeout))
end
"""


class Problem(Exception):
    """Something that makes a comparison meaningless."""


# Processes


def spawn(command, cpu, arguments, log):
    """Starts a program on one processor, with a log of its own."""

    def prepare():
        os.sched_setaffinity(0, {cpu})
        if arguments.nice:
            # Sessions are what the scheduler weighs against each other where it groups them.
            os.setsid()
            os.setpriority(os.PRIO_PROCESS, 0, arguments.nice)
            with contextlib.suppress(OSError):
                pathlib.Path("/proc/self/autogroup").write_text(str(arguments.nice))

    return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, preexec_fn=prepare)


def end(process):
    """Asks a process to end, and insists after five seconds."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def family(pid):
    """A process and all its descendants."""
    parents = {}
    for entry in pathlib.Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
                parents[int(entry.name)] = int(fields[1])
    found = [pid]
    for member in found:
        found += [child for child, parent in parents.items() if parent == member]
    return found


def busy_ns(pid):
    """Time all threads of a family have run so far, as the scheduler counts it."""
    total = 0
    for member in family(pid):
        for account in pathlib.Path(f"/proc/{member}/task").glob("*/schedstat"):
            with contextlib.suppress(OSError):
                total += int(account.read_text().split()[0])
    return total


def resident_mib(pid):
    """Memory of a family."""
    kib = 0
    for member in family(pid):
        with contextlib.suppress(OSError):
            lines = pathlib.Path(f"/proc/{member}/status").read_text().splitlines()
            kib += sum(int(line.split()[1]) for line in lines if line.startswith("VmRSS:"))
    return kib / 1024


def cpu_ticks(cpu):
    """Ticks a processor has worked so far, for whomever."""
    for line in pathlib.Path("/proc/stat").read_text().splitlines():
        if line.startswith(f"cpu{cpu} "):
            user, nice, system, _, _, *interrupts = map(int, line.split()[1:9])
            return user + nice + system + sum(interrupts)
    raise Problem(f"this machine has no processor {cpu}")


def free_port():
    """A port nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


# HTTP


def ask(port, path):
    """Status, headers and body of one request on a connection of its own."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()
    finally:
        connection.close()


def wait_for_200(port, process, log, seconds=20):
    """Asks every millisecond until the answer is 200."""
    until = time.perf_counter() + seconds
    while time.perf_counter() < until:
        if process.poll() is not None:
            raise Problem(f"{process.args[0]} ended with {process.returncode}:\n{log.read_text()[-2000:]}")
        with contextlib.suppress(OSError, http.client.HTTPException):
            if ask(port, "/small")[0] == 200:
                return time.perf_counter()
        time.sleep(0.001)
    raise Problem(f"{process.args[0]} did not answer within {seconds} s:\n{log.read_text()[-2000:]}")


# Upstream and gateways


def filled(template, values):
    """A template of `proxies/` with its @names@ filled in."""
    text = (BENCH / "proxies" / template).read_text()
    if not values.get("filter"):
        text = "".join(line for line in text.splitlines(True) if "# with filter" not in line)
    for name, value in values.items():
        text = text.replace(f"@{name}@", str(value))
    return text


def content(path):
    """What the upstream answers."""
    return (b"All work and no play makes Jack a dull boy. " * 1500)[: FILES[path]]


def upstream(work, arguments, stack):
    """Starts nginx; returns its port."""
    (work / "files").mkdir()
    for path in FILES:
        (work / "files" / path[1:]).write_bytes(content(path))
    port, log = free_port(), work / "nginx.log"
    configuration = work / "nginx.conf"
    configuration.write_text(filled("nginx.conf", {"work": work, "upstream": port}))
    command = ["nginx", "-p", str(work), "-e", "stderr", "-c", str(configuration)]
    process = spawn(command, LOAD_CPU, arguments, log.open("wb"))
    stack.callback(end, process)
    wait_for_200(port, process, log)
    return port


def leb(number):
    """A number as WebAssembly writes it."""
    digits = []
    while number > 0x7F:
        digits.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*digits, number])


def number_at(data, at):
    """The number that begins at an offset, and where it ends."""
    value = shift = 0
    while True:
        byte, at = data[at], at + 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7


def for_envoy(plugin, work):
    """The plugin with a marker that Envoy knows: Higress's differs in its name only."""
    module, marker = plugin.read_bytes(), b"proxy_abi_version_0_2_1"
    old, new = leb(25) + marker + b"00", leb(23) + marker
    parts, at = [module[:8]], 8
    while at < len(module):
        kind, (size, begin) = module[at], number_at(module, at + 1)
        at = begin + size
        section = module[begin:at]
        if kind == 7:
            section = section.replace(old, new)
        parts += [bytes([kind]), leb(len(section)), section]
    path = work / f"envoy-{plugin.name}"
    path.write_bytes(b"".join(parts))
    return path


class Gateway:
    """One gateway with one case."""

    def __init__(self, name, case, port_upstream, work, arguments):
        self.name, self.case = name, case
        self.filter, _, isolation = case.partition("+")
        self.port, self.log = free_port(), work / f"{name}-{case}.log"
        modules = {"plain": ""}
        if self.filter == "plugin":
            modules["plugin"] = arguments.plugin if name == "weir" else for_envoy(arguments.plugin, work)
        values = {
            "port": self.port,
            "admin": free_port(),
            "upstream": port_upstream,
            "filter": modules.get(self.filter, BENCH / "filters" / f"{self.filter}.wasm"),
            "isolation": isolation or "plugin",
            "configuration": json.dumps(json.dumps(PLUGIN)) if self.filter == "plugin" else '""',
        }
        configuration = work / f"{name}-{case}.yaml"
        configuration.write_text(filled(f"{name}.yaml", values))
        program = {
            "weir": [arguments.weir, "serve", "--log", "warn", configuration],
            "envoy": [arguments.envoy, "-c", configuration, "--concurrency", "1", "--disable-hot-restart", "-l", "error"],
        }[name]
        started = time.perf_counter()
        self.process = spawn(list(map(str, program)), GATEWAY_CPU, arguments, self.log.open("wb"))
        try:
            self.start_ms = (wait_for_200(self.port, self.process, self.log) - started) * 1e3
        except BaseException:
            end(self.process)
            raise
        self.resident_mib = resident_mib(self.process.pid)

    def round(self, path, seconds, arguments):
        """One round of load, measured."""
        pid = self.process.pid
        busy, ticks, began = busy_ns(pid), cpu_ticks(GATEWAY_CPU), time.perf_counter()
        requests, micros, p50, p99, errors = load(self.port, path, seconds, arguments)
        busy = busy_ns(pid) - busy
        took = time.perf_counter() - began
        ticks = (cpu_ticks(GATEWAY_CPU) - ticks) / os.sysconf("SC_CLK_TCK")
        if self.process.poll() is not None:
            raise Problem(f"{self.name} {self.case} died under load:\n{self.log.read_text()[-2000:]}")
        return {
            "cpu_us": busy / 1e3 / requests,
            "rps": requests / micros * 1e6,
            "p50_ms": p50 / 1e3,
            "p99_ms": p99 / 1e3,
            "errors": errors,
            # Shares of the gateway's processor: what the gateway used, what somebody else took.
            "used": busy / 1e9 / took,
            "others": max(0.0, ticks - busy / 1e9) / took,
        }


def load(port, path, seconds, arguments):
    """One run of wrk: requests, microseconds, p50, p99, errors."""
    tell = pathlib.Path(arguments.work) / "tell.lua"
    told = pathlib.Path(arguments.work) / "told"
    tell.write_text(TELL)
    command = ["wrk", "-t1", f"-c{arguments.conns}", f"-d{seconds}s", "--timeout", "5s", "-s", str(tell)]
    with told.open("wb") as log:
        process = spawn([*command, f"http://127.0.0.1:{port}{path}"], LOAD_CPU, arguments, log)
        try:
            process.wait(seconds + 15)
        finally:
            end(process)
    for line in told.read_text().splitlines():
        if line.startswith("told "):
            figures = list(map(int, line.split()[1:]))
            if figures[0]:
                return figures
    raise Problem(f"wrk measured nothing:\n{told.read_text()[-2000:]}")


# Proofs


def expect(claim, got, wanted):
    """A proof that fails stops the comparison."""
    if got != wanted:
        raise Problem(f"{claim}: expected {wanted!r}, got {got!r}")


def fnv1a(count):
    """What the filter `cpu` computes."""
    value = 0xCBF29CE484222325
    for at in range(count):
        value = (value ^ b"0123456789abcdef"[at % 16]) * 0x100000001B3 % 2**64
    return f"{value:016x}"


def prove(gateway):
    """Shows that a gateway forwards, and that its filter does its work. Returns a remark, or nothing."""
    port, case = gateway.port, gateway.filter
    who = f"{gateway.name} {gateway.case}"
    for path in FILES:
        status, headers, body = ask(port, path)
        expect(f"{who}: status", status, 200)
        first = b"#" if case == "body" else b"A"
        expect(f"{who}: body of {path}", body, first + content(path)[1:])
    if case == "headers":
        expect(f"{who}: x-filtered", headers.get("x-filtered"), "yes")
        expect(f"{who}: x-original-path at the upstream", ask(port, "/seen?q=1")[2], b"/seen?q=1\n")
    if case == "shared":
        count = int(headers.get("x-count", "0"), 16)
        expect(f"{who}: a count in x-count", count > 0, True)
        expect(f"{who}: x-count", ask(port, "/small")[1].get("x-count"), f"{count + 1:x}")
    if case == "cpu":
        expect(f"{who}: x-hash", headers.get("x-hash"), fnv1a(200_000))
    if case == "plugin":
        expect(f"{who}: x-added", headers.get("x-added"), "yes")
    if case == "crash":
        expect(f"{who}: x-alive", headers.get("x-alive"), "yes")
        return recovery(gateway, who)
    return None


def recovery(gateway, who):
    """Crashes the filter; tells how long others fail after that."""
    status = ask(gateway.port, "/crash")[0]
    expect(f"{who}: a crash is a 5xx", status // 100, 5)
    crashed = time.perf_counter()
    refused = 0
    while ask(gateway.port, "/small")[1].get("x-alive") != "yes":
        refused += 1
        if time.perf_counter() > crashed + 10:
            raise Problem(f"{who}: no recovery within 10 s")
        time.sleep(0.005)
    if not refused:
        return f"{who}: the crash got {status}; the next request was served"
    return f"{who}: the crash got {status}; the next served request came {time.perf_counter() - crashed:.2f} s later"


# Figures


def summary(values):
    """Median, least, lower quartile, and spread (greatest less least, by the median, in percent)."""
    middle = statistics.median(values)
    quartile = statistics.quantiles(values, n=4, method="inclusive")[0] if len(values) > 1 else middle
    spread = 100 * (max(values) - min(values)) / middle if middle else 0.0
    return {"median": middle, "min": min(values), "p25": quartile, "spread": spread}


def paired(rounds, others, figure):
    """Ratios of neighbouring rounds."""
    ratios = [one[figure] / other[figure] for one, other in zip(rounds, others) if other[figure]]
    return {"median": statistics.median(ratios), "min": min(ratios), "max": max(ratios)}


def result(path, gateway, rounds, others):
    """Everything about one gateway, case and path. `others`: the rounds of the gateway compared with."""
    row = {"case": gateway.case, "path": path, "gateway": gateway.name, "start_ms": gateway.start_ms}
    row |= {"resident_mib": gateway.resident_mib, "resident_mib_after": resident_mib(gateway.process.pid)}
    row |= {figure: summary([each[figure] for each in rounds]) for figure in ("cpu_us", "rps", "p50_ms", "p99_ms", "used", "others")}
    row["errors"] = sum(each["errors"] for each in rounds)
    if others:
        row["ratio"] = {figure: paired(rounds, others, figure) for figure in ("cpu_us", "rps", "p50_ms", "p99_ms")}
    return row | {"rounds": rounds}


def print_row(cells):
    """One line of a table in Markdown."""
    print("| " + " | ".join(cells) + " |", flush=True)


def print_head(cells):
    """A table's head: words left, figures right."""
    print_row(cells)
    print_row(["---" if cell in ("case", "gateway") else "--:" for cell in cells])


def span(ratio):
    """A ratio: median (least–greatest)."""
    return f"{ratio['median']:.2f} ({ratio['min']:.2f}–{ratio['max']:.2f})"


def print_results(results):
    """The table of a comparison under load."""
    print_head(["case", "gateway", "µs", "min", "p25", "spread", "req/s", "p50 ms", "p99 ms", "used", "others", "MiB", "errors", "µs ratio", "p99 ratio"])
    for row in results:
        cpu, ratio = row["cpu_us"], row.get("ratio")
        print_row([
            f"{row['case']} {row['path']}", row["gateway"],
            f"{cpu['median']:.1f}", f"{cpu['min']:.1f}", f"{cpu['p25']:.1f}", f"{cpu['spread']:.0f} %",
            f"{row['rps']['median']:.0f}", f"{row['p50_ms']['median']:.2f}", f"{row['p99_ms']['median']:.2f}",
            f"{row['used']['median']:.0%}", f"{row['others']['median']:.0%}", f"{row['resident_mib_after']:.0f}", str(row["errors"]),
            span(ratio["cpu_us"]) if ratio else "", span(ratio["p99_ms"]) if ratio else "",
        ])


# Commands


def compare(arguments, work, stack):
    """Rounds under load."""
    port_upstream = upstream(work, arguments, stack)
    gateways = []
    for case in arguments.cases:
        for name in arguments.gateways:
            gateway = Gateway(name, case, port_upstream, work, arguments)
            stack.callback(end, gateway.process)
            gateways.append(gateway)
            remark = prove(gateway)
            if remark:
                print(remark, flush=True)
    results = []
    for path in arguments.paths:
        for gateway in gateways:
            gateway.round(path, 1, arguments)
        rounds = {gateway: [] for gateway in gateways}
        for _ in range(arguments.rounds):
            for gateway in gateways:
                rounds[gateway].append(gateway.round(path, arguments.duration, arguments))
        for gateway in gateways:
            pair = next((other for other in gateways if other.case == gateway.case and other.name != gateway.name), None)
            others = rounds[pair] if pair and gateway.name == arguments.gateways[0] else None
            results.append(result(path, gateway, rounds[gateway], others))
    print_results(results)
    return results


def start(arguments, work, stack):
    """Times to the first answer, in turns, and memory then."""
    port_upstream = upstream(work, arguments, stack)
    seen = {}
    for _ in range(arguments.rounds):
        for case in arguments.cases:
            for name in arguments.gateways:
                gateway = Gateway(name, case, port_upstream, work, arguments)
                seen.setdefault((case, name), []).append((gateway.start_ms, gateway.resident_mib))
                end(gateway.process)
    print_head(["case", "gateway", "start ms", "min", "p25", "spread", "MiB"])
    results = []
    for (case, name), starts in seen.items():
        millis, memory = (summary(list(values)) for values in zip(*starts))
        figures = [f"{millis[each]:.0f}" for each in ("median", "min", "p25")]
        print_row([case, name, *figures, f"{millis['spread']:.0f} %", f"{memory['median']:.1f}"])
        results.append({"case": case, "gateway": name, "start_ms": millis, "resident_mib": memory})
    return results


def weir_by_default():
    """The most optimised binary that was built."""
    builds = [BENCH.parent / "target" / profile / "weir" for profile in ("dist", "release")]
    return next((build for build in builds if build.is_file()), builds[0])


def parsed():
    """The command line."""
    words = lambda text: text.split(",")
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="?", choices=["load", "start"], default="load")
    parser.add_argument("--weir", metavar="PATH", default=weir_by_default(), help="default: target/dist/weir, then target/release/weir")
    parser.add_argument("--envoy", metavar="PATH", default=shutil.which("envoy"), help="default: the one on PATH")
    parser.add_argument("--gateways", type=words, default=["weir", "envoy"], help="default: weir,envoy; ratios are first by second")
    parser.add_argument("--cases", type=words, default=CASES, help=f"default: {','.join(CASES)}; also plugin, and each with +ISOLATION for Weir's filter")
    parser.add_argument("--plugin", metavar="PATH", type=pathlib.Path, help="module of the case plugin: Higress's transformer")
    parser.add_argument("--paths", type=words, default=list(FILES), help=f"default: {','.join(FILES)}")
    parser.add_argument("--conns", type=int, default=32, help="connections; default: 32")
    parser.add_argument("--rounds", type=int, default=11, help="for every gateway, case and path; default: 11")
    parser.add_argument("--duration", type=int, default=1, help="seconds of a round; default: 1")
    parser.add_argument("--nice", type=int, default=0, help="of everything measured; below 0 needs root")
    parser.add_argument("--out", metavar="FILE", type=pathlib.Path, help="results as JSON, with every round")
    arguments = parser.parse_args()
    cases = [case + mode for case in [*CASES, "plugin"] for mode in ["", *(f"+{each}" for each in ISOLATIONS)]]
    if any(case.startswith("plugin") for case in arguments.cases) and not arguments.plugin:
        parser.error("the case plugin needs --plugin PATH")
    for given, known in ((arguments.cases, cases), (arguments.paths, FILES), (arguments.gateways, ["weir", "envoy"])):
        for word in given:
            if word not in known:
                parser.error(f"unknown: {word}; known: {', '.join(known)}")
    for name in arguments.gateways:
        program = getattr(arguments, name)
        if not program or not pathlib.Path(program).is_file():
            parser.error(f"no {name} at {program}; give --{name} PATH")
        if pathlib.Path(program).read_bytes()[:4] != b"\x7fELF":
            print(f"note: {program} is a script; give the program itself, or its start is measured too", file=sys.stderr)
    return arguments


def main():
    """Runs the command within a bounded time, and leaves nothing behind."""
    arguments = parsed()
    runs = len(arguments.cases) * len(arguments.gateways)
    # A bound for what hangs; what works takes about a third of it.
    signal.signal(signal.SIGALRM, lambda *_: sys.exit("error: took far too long"))
    signal.alarm(120 + 3 * runs * len(arguments.paths) * (arguments.rounds + 1) * (arguments.duration + 1))
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    command = {"load": compare, "start": start}[arguments.what]
    with tempfile.TemporaryDirectory() as work, contextlib.ExitStack() as stack:
        arguments.work = work
        try:
            results = command(arguments, pathlib.Path(work), stack)
        except Problem as problem:
            sys.exit(f"error: {problem}")
    if arguments.out:
        settings = {name: str(value) for name, value in vars(arguments).items() if name not in ("work", "out")}
        arguments.out.write_text(json.dumps({"when": time.strftime("%F %T"), "settings": settings, "results": results}, indent=1))


if __name__ == "__main__":
    main()
