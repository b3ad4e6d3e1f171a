// A visitor's book in JavaScript, made by componentize-js: by wasi:keyvalue and by wasi-map.

import { open } from "wasi:keyvalue/store@0.2.0-draft";
import { increment } from "wasi:keyvalue/atomics@0.2.0-draft";
import { getMany } from "wasi:keyvalue/batch@0.2.0-draft";
import { Map as SharedMap } from "wasi-map:map/maps@1.0.0";

const bytes = (text) => new TextEncoder().encode(text);
const text = (bytes) => new TextDecoder().decode(bytes);

function visit(name) {
  const bucket = open("cache");
  const hits = increment(bucket, "hits", 1n);
  bucket.set(name, bytes("was here"));
  const found = getMany(bucket, [name, "nobody"]);
  const texts = found.map((pair) => (pair === undefined ? "nobody" : text(pair[1])));
  const keys = bucket.listKeys(undefined).keys;
  const book = SharedMap.open("cache", { read: true, write: true, list: true });
  const counted = book.increment(bytes("hits"), 1n);
  const entry = book.get(bytes(name));
  const items = book.scan(bytes(name)).next(4096).filter((item) => item.content.tag === "bytes");
  const listed = text(items[0].content.val);
  return `${hits} ${counted} ${texts.join("/")} ${keys.join(",")} ${entry.version} ${listed}`;
}

function why(refused) {
  try {
    refused();
    return "?";
  } catch (error) {
    return error.payload?.tag ?? error.payload ?? String(error);
  }
}

function refused() {
  const options = { ttlMs: 0n, eviction: "refuse" };
  return [
    why(() => open("nosuch")),
    why(() => SharedMap.open("nosuch", { read: true })),
    why(() => SharedMap.create(options)),
  ].join(" ");
}

export function play(line) {
  const words = line.split(" ");
  return words[0] === "visit" ? visit(words[1]) : refused();
}
