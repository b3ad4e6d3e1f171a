#!/usr/bin/env python3
"""Sends a picture through the pipeline, as a region and by copy in turns, and compares what comes out
with what ImageMagick makes of the same picture.

    examples/image-pipeline/measure.py --weir target/dist/weir [--picture FILE] [--rounds 30]

Without a picture, one of 1920 x 1080 is made. Needs ImageMagick (`convert`) and Python's standard
library. Fails if a pixel differs by more than one of 255 from the reference, or at all between the two
ways.
"""

import argparse
import http.client
import http.server
import json
import pathlib
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time

HERE = pathlib.Path(__file__).parent
WAYS = ["region", "copy"]


class Service(http.server.BaseHTTPRequestHandler):
    """Is told of pictures."""

    protocol_version = "HTTP/1.1"
    told = []

    def do_POST(self):
        self.told.append(self.rfile.read(int(self.headers["content-length"])))
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_):
        pass


def free_port():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


class Images:
    """ImageMagick."""

    def __init__(self, program):
        self.program = program

    def run(self, *arguments, given=None):
        done = subprocess.run([self.program, *arguments], input=given, capture_output=True)
        if done.returncode or not done.stdout:
            sys.exit(f"{self.program} {' '.join(arguments)}: {done.stderr.decode()}")
        return done.stdout

    def pixels(self, picture):
        """Width, height and RGBA of a picture."""
        source = [picture] if picture else ["-seed", "7", "-size", "1920x1080", "plasma:fractal"]
        png = self.run(*source, "-depth", "8", "png32:-")
        size = self.run("png:-", "-format", "%w %h", "info:-", given=png).split()
        return int(size[0]), int(size[1]), self.run("png:-", "-depth", "8", "rgba:-", given=png)

    def grey(self, pixels, size):
        raw = ["-size", size, "-depth", "8", "rgba:-", "-alpha", "off"]
        return self.run(*raw, "-grayscale", "Rec601Luma", "-depth", "8", "gray:-", given=pixels)

    def edges(self, grey, size):
        """Of Sobel's kernels in four directions, each keeps what is above zero; all together are the
        two gradients' absolute values."""
        turns = []
        for degrees in (0, 90, 180, 270):
            turns += ["(", "-clone", "0", "-morphology", "Convolve", f"Sobel:{degrees}", ")"]
        raw = ["-size", size, "-depth", "8", "gray:-"]
        end = ["-delete", "0", "-evaluate-sequence", "add", "-depth", "8", "gray:-"]
        return self.run(*raw, *turns, *end, given=grey)


def asked(port, method, path, body=None, kind="application/octet-stream"):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request(method, path, body, {"content-type": kind})
    response = connection.getresponse()
    answer = response.read()
    connection.close()
    if response.status not in (200, 201):
        sys.exit(f"{path}: {response.status} {answer.decode(errors='replace')}")
    return answer


def started(weir, folder):
    """The gateway on a free port, with a service to tell."""
    service = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Service)
    threading.Thread(target=service.serve_forever, daemon=True).start()
    port = free_port()
    site = (HERE / "weir.yaml").read_text()
    site = site.replace("127.0.0.1:9000", f"127.0.0.1:{service.server_port}")
    site = site.replace("127.0.0.1:8080", f"127.0.0.1:{port}")
    site = site.replace("file: ", f"file: {HERE.resolve()}/")
    file = folder / "weir.yaml"
    file.write_text(site + "workers: 1\n")
    log = (folder / "log").open("w")
    gateway = subprocess.Popen([weir, "serve", file], stdout=log, stderr=log)
    for _ in range(600):
        try:
            asked(port, "GET", "/")
            return gateway, port
        except OSError:
            time.sleep(0.1)
    sys.exit((folder / "log").read_text())


def measured(port, picture, rounds):
    """Milliseconds of each stage by way, and the last answer of each way."""
    width, height, pixels = picture
    times, last = {way: {} for way in WAYS}, {}
    for number in range(rounds + 3):
        for way in WAYS:
            path = f"/upload?pass={way}&width={width}&height={height}"
            begun = time.monotonic()
            told = json.loads(asked(port, "POST", path, pixels))
            whole = (time.monotonic() - begun) * 1000
            if told["not_notified"]:
                sys.exit(f"nobody was told: {told['not_notified']}")
            last[way] = told
            stages = [(stage["name"], stage["micros"] / 1000) for stage in told["stages"]]
            stages.append(("in all", sum(time for _, time in stages)))
            stages.append(("seen by the client", whole))
            if number >= 3:
                for name, milliseconds in stages:
                    times[way].setdefault(name, []).append(milliseconds)
    return times, last


def farthest(one, other):
    if len(one) != len(other):
        sys.exit(f"{len(one)} pixels, and {len(other)} in the reference")
    return max(abs(a - b) for a, b in zip(one, other))


def main():
    arguments = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    arguments.add_argument("--weir", required=True)
    arguments.add_argument("--convert", default="convert", help="ImageMagick's program")
    arguments.add_argument("--picture")
    arguments.add_argument("--rounds", type=int, default=30)
    given = arguments.parse_args()
    images = Images(given.convert)
    picture = images.pixels(given.picture)
    size = f"{picture[0]}x{picture[1]}"
    with tempfile.TemporaryDirectory() as folder:
        gateway, port = started(given.weir, pathlib.Path(folder))
        try:
            times, last = measured(port, picture, given.rounds)
            made = {
                (way, name): asked(port, "GET", last[way][name])
                for way in WAYS
                for name in ("grey", "edges")
            }
        finally:
            gateway.terminate()
            gateway.wait()
    print(f"{size}, {given.rounds} rounds, medians in milliseconds\n")
    print("| stage | as a region | by copy |\n|---|---|---|")
    for name in times["region"]:
        cells = [f"{statistics.median(times[way][name]):.2f}" for way in WAYS]
        print(f"| {name} | {' | '.join(cells)} |")
    made = {key: images.run("png:-", "-depth", "8", "gray:-", given=png) for key, png in made.items()}
    references = {
        "grey": images.grey(picture[2], size),
        "edges": images.edges(made["region", "grey"], size),
    }
    print()
    wrong = False
    for name, reference in references.items():
        same = made["region", name] == made["copy", name]
        most = farthest(made["region", name], reference)
        print(f"{name}: same both ways: {same}; farthest from ImageMagick: {most} of 255")
        wrong |= not same or most > 1
    sys.exit(wrong)


if __name__ == "__main__":
    main()
