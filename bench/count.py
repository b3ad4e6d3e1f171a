#!/usr/bin/env python3
"""Compares what counting costs in Weir and in Envoy: `filters/count-*.wat`, a thousand steps a request.

    bench/count.py --weir target/dist/weir --envoy envoy

`shared` counts in Proxy-Wasm's shared data with compare-and-swap, in both gateways; `map` with the
atomic increment of a shared map, in Weir. The filter answers by itself, so there is no upstream.
Rounds take turns. First with one worker, which has processor 0 for itself, then with as many as there
are processors, which then count the same number at the same time. Last, many connections make a known
number of requests of each gateway, and the number in the last answer must be exactly right.

Needs wrk and Envoy; Python's standard library; Linux.
"""

import argparse
import concurrent.futures
import contextlib
import http.client
import json
import os
import pathlib
import statistics
import sys
import tempfile
import time

import compare
from compare import BENCH, GATEWAY_CPU, Problem, busy_ns, end, expect, free_port, load, print_head, print_row, span, summary

STEPS = 1000
WEIR = """workers: {workers}
listeners:
  - address: 127.0.0.1:{port}
    access_log: off
    request_id: false
    routes: [{{ filters: [count], respond: {{ status: 500 }} }}]
modules: {{ count: {{ file: "{module}" }} }}
filters: {{ count: {{ module: count, engine: cranelift, grants: {{ {grants} }} }} }}
{maps}
code_cache: off
"""
ENVOY = """static_resources:
  listeners:
    - address: {{ socket_address: {{ address: 127.0.0.1, port_value: {port} }} }}
      filter_chains:
        - filters:
            - name: envoy.filters.network.http_connection_manager
              typed_config:
                "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
                stat_prefix: bench
                codec_type: HTTP1
                generate_request_id: false
                http_filters:
                  - name: envoy.filters.http.wasm
                    typed_config:
                      "@type": type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm
                      config:
                        vm_config:
                          runtime: envoy.wasm.runtime.v8
                          code: {{ local: {{ filename: "{module}" }} }}
                  - name: envoy.filters.http.router
                    typed_config:
                      "@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router
                route_config:
                  virtual_hosts:
                    - name: all
                      domains: ["*"]
                      routes: [{{ match: {{ prefix: / }}, direct_response: {{ status: 500 }} }}]
"""
CASES = [("envoy", "shared"), ("weir", "shared"), ("weir", "map")]


class Counter:
    """A gateway that counts."""

    def __init__(self, name, case, workers, work, arguments):
        self.name, self.case, self.port = name, case, free_port()
        self.log = work / f"{name}-{case}-{workers}.log"
        values = {"workers": workers, "port": self.port, "module": BENCH / "filters" / f"count-{case}.wasm"}
        values["grants"] = "maps: { counts: [read, write] }" if case == "map" else ""
        values["maps"] = "maps: { counts: {} }" if case == "map" else ""
        configuration = self.log.with_suffix(".yaml")
        configuration.write_text((WEIR if name == "weir" else ENVOY).format(**values))
        command = {
            "weir": [arguments.weir, "serve", "--log", "warn", configuration],
            "envoy": [arguments.envoy, "-c", configuration, "--concurrency", workers, "--disable-hot-restart", "-l", "error"],
        }[name]
        self.process = compare.spawn([str(word) for word in command], GATEWAY_CPU, arguments, self.log.open("wb"))
        if workers > 1:
            os.sched_setaffinity(self.process.pid, range(os.cpu_count()))
        compare.wait_for_200(self.port, self.process, self.log)

    def round(self, arguments):
        """Nanoseconds of processor time for a step."""
        before = busy_ns(self.process.pid)
        requests, _, _, _, errors = load(self.port, "/", arguments.seconds, arguments)
        expect(f"{self.name} {self.case}: errors", errors, 0)
        return (busy_ns(self.process.pid) - before) / requests / STEPS

    def count(self, connection):
        """The number after one request."""
        connection.request("GET", "/")
        answer = connection.getresponse()
        body = answer.read()
        expect(f"{self.name} {self.case}: status", answer.status, 200)
        return int(body, 16)

    def requests(self, count):
        """The numbers after so many requests on one connection."""
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)) as connection:
            return [self.count(connection) for _ in range(count)]

    def prove(self, connections, each):
        """Nothing is lost and nothing is counted twice, whoever counts at the same time."""
        [before] = self.requests(1)
        with concurrent.futures.ThreadPoolExecutor(connections) as pool:
            numbers = [number for part in pool.map(self.requests, [each] * connections) for number in part]
        [after] = self.requests(1)
        expect(f"{self.name} {self.case}: the number", after - before, (connections * each + 1) * STEPS)
        expect(f"{self.name} {self.case}: different numbers", len(set(numbers)), len(numbers))
        return after - before


def measure(workers, work, arguments):
    """Rows of one number of workers."""
    with contextlib.ExitStack() as stack:
        counters = []
        for name, case in CASES:
            counters.append(Counter(name, case, workers, work, arguments))
            stack.callback(end, counters[-1].process)
        for counter in counters:
            counter.round(arguments)
        rounds = [[counter.round(arguments) for counter in counters] for _ in range(arguments.rounds)]
        rows = []
        for at, counter in enumerate(counters):
            figures = summary([each[at] for each in rounds])
            ratios = [each[at] / each[0] for each in rounds]
            ratio = {"median": statistics.median(ratios), "min": min(ratios), "max": max(ratios)}
            counted = counter.prove(arguments.conns, arguments.proof)
            rows.append({"workers": workers, "gateway": counter.name, "case": counter.case, "ns": figures, "ratio": ratio, "exact": counted})
            print_row([str(workers), counter.name, counter.case, f"{figures['median']:.0f}", f"{figures['min']:.0f}", f"{figures['spread']:.0f} %", span(ratio), str(counted)])
        return rows


def main():
    """Reads the arguments, measures, prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--weir", default="target/dist/weir")
    parser.add_argument("--envoy", default="envoy")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=int, default=3)
    parser.add_argument("--conns", type=int, default=32)
    parser.add_argument("--proof", type=int, default=50, help="requests of each connection in the proof")
    parser.add_argument("--nice", type=int, default=0)
    parser.add_argument("--out", type=pathlib.Path, help="also write everything as JSON")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as work:
        arguments.work = work
        print_head(["workers", "gateway", "case", "ns", "min", "spread", "ratio", "counted exactly"])
        rows = []
        for workers in (1, os.cpu_count()):
            rows += measure(workers, pathlib.Path(work), arguments)
        if arguments.out:
            arguments.out.write_text(json.dumps({"when": time.time(), "rows": rows}, indent=1))


if __name__ == "__main__":
    try:
        main()
    except Problem as problem:
        sys.exit(f"count: {problem}")
