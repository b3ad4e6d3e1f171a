#!/bin/sh
# Makes count.wasm of count.py, with the interfaces that `weir new` puts into projects. COMPONENTIZE_PY
# may name the compiler; without it, one is installed into the folder venv.
set -eu
if [ -z "${COMPONENTIZE_PY:-}" ]; then
  if [ ! -x venv/bin/componentize-py ]; then
    python3 -m venv venv
    venv/bin/pip install --quiet --disable-pip-version-check componentize-py==0.25.1
  fi
  COMPONENTIZE_PY=venv/bin/componentize-py
fi
"$COMPONENTIZE_PY" --wit-path ../../../crates/weir/templates/function/wasi --world handler \
  componentize count --output count.wasm
