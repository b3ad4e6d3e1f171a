#!/usr/bin/env python3
"""Sends many requests at once to one address, and tells what became of each.

    bench/burst.py http://127.0.0.1:8080/sleep?100 --requests 5000 --deadline 10

Every request has a connection of its own; all connections are open before the first request is sent.
Exit code 1: a request had no answer, one that is neither 200 nor 503, a 503 without `retry-after`, or
one that came after the deadline.
"""

import argparse
import asyncio
import collections
import resource
import sys
import time
import urllib.parse


async def connect(host, port):
    """Opens a connection; a full backlog is no reason to give up."""
    for _ in range(50):
        try:
            return await asyncio.open_connection(host, port)
        except OSError:
            await asyncio.sleep(0.1)
    return await asyncio.open_connection(host, port)


async def ask(streams, request, deadline):
    """What became of one request: a word, and after how long."""
    reader, writer = streams
    begun = time.monotonic()
    try:
        writer.write(request)
        await writer.drain()
        answer = await asyncio.wait_for(reader.read(), deadline)
    except asyncio.TimeoutError:
        return "late", time.monotonic() - begun
    except OSError as error:
        return f"broken ({error.__class__.__name__})", time.monotonic() - begun
    finally:
        writer.close()
    took = time.monotonic() - begun
    head, _, body = answer.partition(b"\r\n\r\n")
    words = head.split(b" ", 2)
    if len(words) < 2 or not body:
        return "cut", took
    status = words[1].decode(errors="replace")
    if status == "503" and b"\r\nretry-after: " not in head.lower():
        return "503 without retry-after", took
    return status, took


async def burst(arguments):
    url = urllib.parse.urlsplit(arguments.url)
    port = url.port or 80
    target = (url.path or "/") + (f"?{url.query}" if url.query else "")
    request = f"GET {target} HTTP/1.1\r\nhost: {url.netloc}\r\nconnection: close\r\n\r\n".encode()
    gate = asyncio.Semaphore(200)

    async def opened():
        async with gate:
            return await connect(url.hostname, port)

    streams = await asyncio.gather(*(opened() for _ in range(arguments.requests)))
    begun = time.monotonic()
    asked = (ask(one, request, arguments.deadline) for one in streams)
    answers = await asyncio.gather(*asked)
    return answers, time.monotonic() - begun


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("url")
    parser.add_argument("--requests", type=int, default=5000)
    parser.add_argument("--deadline", type=float, default=10, help="seconds")
    arguments = parser.parse_args()
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    answers, took = asyncio.run(burst(arguments))
    counts = collections.Counter(word for word, _ in answers)
    for word, count in sorted(counts.items()):
        times = sorted(time for answer, time in answers if answer == word)
        middle, last = times[len(times) // 2], times[-1]
        print(f"{count:6} {word}: median {middle * 1000:.0f} ms, longest {last * 1000:.0f} ms")
    print(f"{len(answers)} requests in {took:.2f} s")
    return 0 if set(counts) <= {"200", "503"} else 1


if __name__ == "__main__":
    sys.exit(main())
