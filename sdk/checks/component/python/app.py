"""A visitor's book in Python, made by componentize-py: by wasi:keyvalue and by wasi-map."""

from componentize_py_types import Err
from wit_world.imports import atomics, batch, maps, store
from wit_world.imports.types import (
    Content_Bytes,
    Error_Invalid,
    Error_NoEntry,
    Eviction,
    Options,
    Rights,
)


def visit(name: str) -> str:
    with store.open("cache") as bucket:
        hits = atomics.increment(bucket, "hits", 1)
        bucket.set(name, b"was here")
        found = batch.get_many(bucket, [name, "nobody"])
        texts = ["nobody" if pair is None else pair[1].decode() for pair in found]
        keys = bucket.list_keys(None).keys
    book = maps.Map.open("cache", Rights.READ | Rights.WRITE | Rights.LIST)
    counted = book.increment(b"hits", 1)
    entry = book.get(name.encode())
    scanner = book.scan(name.encode())
    items = [item for item in scanner.next(4096) if isinstance(item.content, Content_Bytes)]
    listed = items[0].content.value.decode()
    return f"{hits} {counted} {'/'.join(texts)} {','.join(keys)} {entry.version} {listed}"


def refused() -> str:
    told = []
    try:
        store.open("nosuch")
    except Err as error:
        told.append("no-such-store" if isinstance(error.value, store.Error_NoSuchStore) else "?")
    try:
        maps.Map.open("nosuch", Rights.READ)
    except Err as error:
        told.append("no-entry" if isinstance(error.value, Error_NoEntry) else "?")
    try:
        maps.Map.create(Options(None, None, None, 0, Eviction.REFUSE))
    except Err as error:
        told.append("invalid" if isinstance(error.value, Error_Invalid) else "?")
    return " ".join(told)


class WitWorld:
    def play(self, line: str) -> str:
        words = line.split(" ")
        return visit(words[1]) if words[0] == "visit" else refused()
