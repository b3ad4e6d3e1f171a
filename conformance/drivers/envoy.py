#!/usr/bin/env python3
"""A driver of the conformance kit: Envoy, as any other host would be driven.

It shows the protocol that conformance/README.md describes. The kit has its own driver for Envoy,
which knows more scenes (`--host envoy`); this one plays what HTTP filters need:

    cargo xtask conformance --host conformance/drivers/envoy.py --only 127-150
"""

import json
import os
import subprocess
import sys
import threading
import time
import urllib.request

TYPES = "type.googleapis.com/"
LEVELS = {"warning": "warn"}


def tell(word):
    """One JSON line for the kit."""
    with LOCK:
        print(json.dumps(word), flush=True)


LOCK = threading.Lock()


def typed(name, **fields):
    return {"@type": TYPES + name, **fields}


def address(text):
    host, port = text.rsplit(":", 1)
    return {"socket_address": {"address": host, "port_value": int(port)}}


def payload(value):
    text = value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))
    return typed("google.protobuf.StringValue", value=text)


def plugin(one):
    vm = {
        "vm_id": one["vm_id"],
        "runtime": "envoy.wasm.runtime.v8",
        "code": {"local": {"filename": one["module"]}},
    }
    if one["vm_configuration"] is not None:
        vm["configuration"] = payload(one["vm_configuration"])
    if one["environment"]:
        vm["environment_variables"] = {"key_values": one["environment"]}
    config = {
        "name": one["name"],
        "root_id": one["root_id"],
        "failure_policy": "FAIL_" + one["on_failure"].upper(),
        "allow_on_headers_stop_iteration": one["allow_on_headers_stop_iteration"],
        "vm_config": vm,
    }
    if one["configuration"] is not None:
        config["configuration"] = payload(one["configuration"])
    if one["capabilities"] is not None:
        allowed = {name: {} for name in one["capabilities"]}
        config["capability_restriction_config"] = {"allowed_capabilities": allowed}
    return config


def uses(scene, use):
    return [plugin(one) for one in scene["filters"] if one["use"] == use]


def routes():
    def forward(cluster):
        return {"cluster": cluster, "timeout": "10s"}

    is_side = [{"name": "x-route", "string_match": {"exact": "side"}}]
    other = {"status": 200, "body": {"inline_string": "other"}}
    return [
        {"name": "other", "match": {"path": "/other"}, "direct_response": other},
        {"name": "side", "match": {"prefix": "/", "headers": is_side}, "route": forward("side")},
        {"name": "main", "match": {"prefix": "/"}, "route": forward("up")},
    ]


def access_logs(scene):
    kind = "envoy.extensions.access_loggers.wasm.v3.WasmAccessLog"
    logs = [{"name": "wasm", "typed_config": typed(kind, config=one)} for one in uses(scene, "log")]
    line = {
        "status": "%RESPONSE_CODE%",
        "details": "%RESPONSE_CODE_DETAILS%",
        "flags": "%RESPONSE_FLAGS%",
        "state": {name: f"%FILTER_STATE({name}:PLAIN)%" for name in scene["state"]},
    }
    kind = "envoy.extensions.access_loggers.stream.v3.StdoutAccessLog"
    logs.append({"name": "lines", "typed_config": typed(kind, log_format={"json_format": line})})
    return logs


def bootstrap(scene):
    kind = "envoy.extensions.filters.http.wasm.v3.Wasm"
    chain = [{"name": "wasm", "typed_config": typed(kind, config=one)} for one in uses(scene, "chain")]
    kind = "envoy.extensions.filters.http.router.v3.Router"
    chain.append({"name": "router", "typed_config": typed(kind, suppress_envoy_headers=True)})
    manager = typed(
        "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        stat_prefix="i",
        access_log=access_logs(scene),
        http_filters=chain,
        http_protocol_options={"enable_trailers": True},
        route_config={
            "name": "r",
            "virtual_hosts": [{"name": "v", "domains": ["*"], "routes": routes()}],
        },
    )
    kind = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
    trailers = {"http_protocol_options": {"enable_trailers": True}}
    clusters = [
        {
            "name": name,
            "type": "STATIC",
            "connect_timeout": "2s",
            "per_connection_buffer_limit_bytes": scene["body_buffer"],
            "typed_extension_protocol_options": {kind: typed(kind, explicit_http_config=trailers)},
            "load_assignment": {
                "cluster_name": name,
                "endpoints": [
                    {"lb_endpoints": [{"endpoint": {"address": address(one)}} for one in cluster["addresses"]]}
                ],
            },
        }
        for name, cluster in scene["clusters"].items()
    ]
    kind = "envoy.extensions.wasm.v3.WasmService"
    services = [
        {"name": "envoy.bootstrap.wasm", "typed_config": typed(kind, singleton=True, config=one)}
        for one in uses(scene, "background")
    ]
    listener = {
        "name": "l",
        "address": address(scene["listen"]),
        "per_connection_buffer_limit_bytes": scene["body_buffer"],
        "filter_chains": [{"filters": [{"name": "http", "typed_config": manager}]}],
    }
    return {
        "node": scene["node"],
        "admin": {"address": address("127.0.0.1:0")},
        "stats_flush_interval": "0.2s",
        "bootstrap_extensions": services,
        "static_resources": {"clusters": clusters, "listeners": [listener]},
    }


def why_not(scene):
    """What this driver cannot show, if the scene needs it."""
    if scene["listener"] != "http":
        return "TCP listeners"
    if scene["metadata"] or scene["route_metadata"]:
        return "metadata"
    if any(cluster["http2"] for cluster in scene["clusters"].values()):
        return "HTTP/2 clusters"
    if any(one["dialect"] or one["tolerant"] for one in scene["filters"]):
        return "dialects and tolerance"
    return None


def read_log(envoy, scene, words):
    """Log lines are `@@thread level text`; those of the main thread have no traffic."""
    background = [one["name"] for one in scene["filters"] if one["use"] == "background"]
    prefixes = []
    for one in scene["filters"]:
        root = "".join(f" {part}" for part in (one["root_id"], one["vm_id"]) if part)
        prefixes += [(f" {one['name']}{root}: ", one["name"]), (f"{root}: ", one["name"])]
    prefixes.sort(key=lambda prefix: -len(prefix[0]))
    for line in envoy.stderr:
        line = line.decode(errors="replace").rstrip("\n")
        mark, _, rest = line.partition(" ")
        level, _, text = rest.partition(" ")
        _, is_guest, text = text.partition("wasm log")
        found = next(((p, name) for p, name in prefixes if text.startswith(p)), None)
        if not (mark.startswith("@@") and is_guest and found):
            words.append(line)
            print(line, file=sys.stderr, flush=True)
        elif mark != f"@@{envoy.pid}" or found[1] in background:
            level = LEVELS.get(level, level)
            tell({"log": {"filter": found[1], "level": level, "text": text[len(found[0]) :]}})


def read_access(envoy):
    for line in envoy.stdout:
        tell({"access": json.loads(line)})


def ask(admin, path, method="GET"):
    request = urllib.request.Request(f"http://{admin}{path}", method=method)
    with urllib.request.urlopen(request, timeout=5) as answer:
        return answer.read().decode()


def wait_until_ready(envoy, folder):
    """Gives the admin address once the workers run; None: Envoy has ended."""
    file = os.path.join(folder, "admin")
    while envoy.poll() is None:
        time.sleep(0.02)
        try:
            with open(file) as text:
                admin = text.read().strip()
            if "workers_started: 1" in ask(admin, "/stats?filter=listener_manager.workers_started"):
                return admin
        except (OSError, ValueError):
            continue
    return None


def main():
    folder = sys.argv[1]
    with open(os.path.join(folder, "scene.json")) as text:
        scene = json.load(text)
    if why := why_not(scene):
        tell({"not_applicable": f"this driver has no {why}"})
        return
    file = os.path.join(folder, "envoy.json")
    with open(file, "w") as text:
        json.dump(bootstrap(scene), text)
    level = scene["log_level"].replace("warn", "warning")
    command = [os.environ.get("ENVOY", "envoy"), "-c", file, "--disable-hot-restart"]
    command += ["--file-flush-interval-msec", "20"]
    command += ["--admin-address-path", os.path.join(folder, "admin")]
    command += ["--concurrency", str(scene["workers"]), "-l", "error"]
    command += ["--component-log-level", f"wasm:{level}", "--log-format", "@@%t %l %v"]
    envoy = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    words = []
    readers = [
        threading.Thread(target=read_log, args=(envoy, scene, words)),
        threading.Thread(target=read_access, args=(envoy,)),
    ]
    for reader in readers:
        reader.start()
    try:
        admin = wait_until_ready(envoy, folder)
        if admin is None:
            for reader in readers:
                reader.join()
            tell({"refused": "\n".join(words)})
            return
        tell({"ready": True})
        for line in sys.stdin:
            word, _, value = line.strip().partition(" ")
            if word == "metrics":
                tell({"metrics": ask(admin, "/stats/prometheus")})
            elif word == "log_level":
                ask(admin, f"/logging?wasm={value.replace('warn', 'warning')}", "POST")
    finally:
        envoy.terminate()
        try:
            envoy.wait(10)
        except subprocess.TimeoutExpired:
            envoy.kill()
        # What it says at its end counts too.
        for reader in readers:
            reader.join()


main()
