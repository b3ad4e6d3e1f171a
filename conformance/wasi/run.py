#!/usr/bin/env python3
"""Runs the built tests of WebAssembly/wasi-testsuite with `weir run`, and prints what passed.

    run.py [--weir PROGRAM] [--json FILE] [--only TEXT] FOLDER...

FOLDER is a checkout of its branch prod/testsuite-base, or a folder of built tests in it. Each test has
its own copy of the folder that it works in. Tests that need sockets or an HTTP server are counted as
not applicable: `weir run` gives modules neither. Exit code: 1 if a test failed.
"""

import argparse
import json
import pathlib
import shutil
import subprocess
import sys
import tempfile

# What a test may take. The longest sleep for a tenth of a second; compiling takes most of it.
TEST_SECONDS = 120
# The rest is the guest's stack.
REASON_CHARACTERS = 300
# Operations that a module by itself can be checked with.
SIMPLE = {"run", "wait", "read", "write"}


def main():
    parser = argparse.ArgumentParser(description="Run wasi-testsuite with `weir run`.")
    parser.add_argument("folders", nargs="+", type=pathlib.Path, metavar="FOLDER")
    parser.add_argument("--weir", default="weir", help="the program")
    parser.add_argument("--json", type=pathlib.Path, help="where results for programs go")
    parser.add_argument("--only", default="", help="tests whose names contain this")
    options = parser.parse_args()
    manifests = [path for folder in options.folders for path in sorted(folder.rglob("manifest.json"))]
    suites = [suite(manifest, options) for manifest in manifests]
    if not any(results for _, results in suites):
        sys.exit("no built tests there: name a checkout of the branch prod/testsuite-base")
    for name, results in suites:
        print(row(name, results))
    for name, results in suites:
        for test, (outcome, reason) in results.items():
            if outcome != "passed":
                print(f"{outcome}: {name}: {test}: {reason}")
    if options.json:
        options.json.write_text(json.dumps(dict(suites), indent=1) + "\n")
    sys.exit(any(outcome == "failed" for _, results in suites for outcome, _ in results.values()))


def row(name, results):
    count = lambda wanted: sum(outcome == wanted for outcome, _ in results.values())
    told = ", ".join(f"{count(outcome)} {outcome}" for outcome in ("passed", "failed", "not applicable"))
    return f"{name}: {told}"


def suite(manifest, options):
    """The name of a suite, and outcome and reason by test."""
    name = json.loads(manifest.read_text())["name"]
    modules = sorted(manifest.parent.glob("*.wasm"))
    return name, {
        module.stem: checked(module, options.weir) for module in modules if options.only in module.stem
    }


def checked(module, weir):
    specification = module.with_suffix(".json")
    told = json.loads(specification.read_text()) if specification.exists() else {}
    operations = told.get("operations") or legacy(told)
    unknown = {operation["type"] for operation in operations} - SIMPLE
    proposals = told.get("proposals", [])
    if unknown or proposals:
        return "not applicable", "needs " + ", ".join(sorted(unknown | set(proposals)))
    with tempfile.TemporaryDirectory() as folder:
        command = [weir, "run", *given(operations[0], module, pathlib.Path(folder))]
        reason = difference(command, operations)
    return ("failed", reason) if reason else ("passed", "")


def legacy(told):
    """The older form of a specification in the newer one."""
    run = {"type": "run"} | {key: told[key] for key in ("args", "env", "root") if key in told}
    reads = [{"type": "read", "id": key, "payload": told[key]} for key in ("stdout", "stderr") if key in told]
    return [run, *reads, {"type": "wait", "exit_code": told.get("exit_code", 0)}]


def given(run, module, folder):
    """Arguments of `weir run`."""
    words = [word for name, value in run.get("env", {}).items() for word in ("--env", f"{name}={value}")]
    if run.get("root"):
        root = folder / "root"
        shutil.copytree(module.parent / run["root"], root, symlinks=True)
        for cleanup in root.rglob("*.cleanup"):
            shutil.rmtree(cleanup) if cleanup.is_dir() else cleanup.unlink()
        words += ["--dir", f"{root}::/"]
    return [*words, module, "--", *run.get("args", [])]


def difference(command, operations):
    """What was not as expected; empty: nothing."""
    written = "".join(operation["payload"] for operation in operations if operation["type"] == "write")
    try:
        ran = subprocess.run(command, input=written.encode(), capture_output=True, timeout=TEST_SECONDS)
    except subprocess.TimeoutExpired:
        return f"it ran longer than {TEST_SECONDS} s"
    streams = {"stdout": ran.stdout, "stderr": ran.stderr}
    for operation in operations:
        if operation["type"] == "read":
            stream = operation.get("id", "stdout")
            expected = operation.get("payload", "").encode()
            if streams[stream].rstrip(b"\n") != expected.rstrip(b"\n"):
                return f"{stream} is {streams[stream]!r}, expected {expected!r}"
        if operation["type"] == "wait" and ran.returncode != operation.get("exit_code", 0):
            expected = operation.get("exit_code", 0)
            said = ran.stderr.decode(errors="replace").strip().replace("\n", " | ")
            return f"exit code {ran.returncode}, expected {expected}: {said[:REASON_CHARACTERS]}"
    return ""


if __name__ == "__main__":
    main()
