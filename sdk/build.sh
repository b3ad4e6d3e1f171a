#!/usr/bin/env bash
# Builds the guests in C++, AssemblyScript and Go: what checks the SDKs, and the examples.
#
#   sdk/build.sh INTO [cpp] [assemblyscript] [go] [go-example]     default: cpp assemblyscript
#
# INTO `.` puts each binary beside its source; other folders get the same paths below them. Those in
# Rust and C are `cargo xtask guests`, which everybody can repeat byte for byte; these need clang++
# with libc++ for wasm32-wasi (Debian: clang lld wasi-libc libc++-dev-wasm32 libclang-rt-dev-wasm32),
# `asc` 0.28.20 (npm ci --prefix sdk/assemblyscript) and Go 1.24 or later. ASC and GO name what is
# elsewhere. Go's binaries are too large to be committed.
set -euo pipefail
into=$(realpath -m "$1")
shift
cd "$(dirname "${BASH_SOURCE[0]}")/.."
(($#)) || set -- cpp assemblyscript

# out SOURCE: where the binary goes.
out() { mkdir -p "$into/$(dirname "$1")" && printf '%s/%s.wasm' "$into" "${1%.*}"; }

cpp() {
  local source flags=(--target=wasm32-wasi -mexec-model=reactor -std=c++17 -fno-exceptions -fno-rtti
    -Oz -Wall -Wextra -Werror -fno-ident "-Wl,--strip-all" -I sdk/c -I sdk/cpp)
  for source in sdk/checks/cpp/checks.cpp examples/maps/cpp/words.cpp; do
    clang++ "${flags[@]}" "$source" -o "$(out "$source")"
    chmod -x "$(out "$source")"
  done
}

assemblyscript() {
  local source asc=${ASC:-sdk/assemblyscript/node_modules/.bin/asc}
  for source in sdk/checks/assemblyscript/checks.ts examples/maps/assemblyscript/once.ts; do
    "$asc" "$source" -Oz --noAssert --runtime incremental --use abort= -o "$(out "$source")"
  done
}

# With the public Proxy-Wasm SDK: from Go's module proxy, or from the folder GO_SDK.
go_example() {
  local modules
  modules=$(mktemp -d)
  trap 'rm -rf "$modules"' RETURN
  sed "s#=> .*/sdk/go#=> $PWD/sdk/go#" examples/maps/go/go.mod >"$modules/go.mod"
  if [[ -n ${GO_SDK:-} ]]; then
    "${GO:-go}" mod edit -replace "github.com/proxy-wasm/proxy-wasm-go-sdk=$GO_SDK" "$modules/go.mod"
  fi
  GOFLAGS=-mod=mod gobuild examples/maps/go "-modfile=$modules/go.mod"
}

# gobuild FOLDER FLAGS...
gobuild() {
  local to folder=$1
  to=$(out "$folder/guest.go")
  shift
  (
    cd "$folder"
    GOOS=wasip1 GOARCH=wasm "${GO:-go}" build -buildmode=c-shared -trimpath -ldflags=-s "$@" -o "$to" .
  )
}

for language; do
  case $language in
    cpp | assemblyscript) "$language" ;;
    go) gobuild sdk/checks/go ;;
    go-example) go_example ;;
    *) echo "unknown: $language" >&2; exit 2 ;;
  esac
done
