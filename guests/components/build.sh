#!/usr/bin/env bash
# Builds components in Python and JavaScript, whose runtimes are too large to be committed, for the
# tests of functions (`cargo test -p weir-functions --features real-components --test functions-real`).
#
#   guests/components/build.sh FOLDER
#
# Needs python3 and node with npm; the tools come from their package registries and stay in FOLDER.
# What is there already is not built again.
set -euo pipefail
(($# == 1)) || { printf 'usage: %s FOLDER\n' "$0" >&2; exit 2; }
componentize_py=0.25.1
componentize_js=0.23.0 # Needs wasi:http of exactly 0.2.10.
export PYTHONDONTWRITEBYTECODE=1
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$1"
out=$(cd "$1" && pwd)

# The interfaces of wasi:http are those that the host is made of, under another version: within 0.2
# they are the same.
http=$(cargo metadata --manifest-path "$here/../../Cargo.toml" --format-version 1 --locked |
  python3 -c 'import json, pathlib, sys
names = {p["name"]: p["manifest_path"] for p in json.load(sys.stdin)["packages"]}
print(pathlib.Path(names["wasmtime-wasi-http"]).parent / "wit/deps")')
rm -rf "$out/wit"
mkdir -p "$out/wit/deps"
for file in "$http"/*.wit; do
  sed 's/0\.2\.[0-9][0-9]*/0.2.10/g' "$file" >"$out/wit/deps/${file##*/}"
done
printf 'package weir:handler@1.0.0;\nworld handler { include wasi:http/proxy@0.2.10; }\n' >"$out/wit/world.wit"

if [[ ! -e $out/venv/ready-$componentize_py ]]; then
  python3 -m venv "$out/venv"
  "$out/venv/bin/pip" install --quiet "componentize-py==$componentize_py"
  touch "$out/venv/ready-$componentize_py"
fi
python() { # WIT WORLD MODULE OUT
  [[ $out/$4 -nt $here/$3.py ]] && return
  (cd "$here" && "$out/venv/bin/componentize-py" -d "$1" -w "$2" componentize "$3" -o "$out/$4")
}
python "$here/wit/shout.wit" shout shout py-typed.wasm
python "$out/wit" handler handler py-http.wasm

if [[ ! -e $out/node_modules/ready-$componentize_js ]]; then
  npm install --silent --no-save --prefix "$out" "@bytecodealliance/componentize-js@$componentize_js"
  touch "$out/node_modules/ready-$componentize_js"
fi
cp "$here/componentize.mjs" "$out"
javascript() { # SOURCE WIT WORLD OUT [FEATURE...]
  [[ $out/$4 -nt $here/$1 ]] && return
  (cd "$out" && node componentize.mjs "$here/$1" "$2" "$3" "$out/$4" "${@:5}")
}
javascript shout.js "$here/wit/shout.wit" shout js-typed.wasm http fetch-event
javascript handler.js "$out/wit" handler js-http.wasm
