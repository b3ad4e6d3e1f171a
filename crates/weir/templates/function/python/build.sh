#!/bin/sh
# Makes {{name}}.wasm of app.py. COMPONENTIZE_PY may name the compiler; without it, one is installed
# into the folder venv.
set -eu
if [ -z "${COMPONENTIZE_PY:-}" ]; then
  if [ ! -x venv/bin/componentize-py ]; then
    python3 -m venv venv
    venv/bin/pip install --quiet --disable-pip-version-check --requirement requirements.txt
  fi
  COMPONENTIZE_PY=venv/bin/componentize-py
fi
"$COMPONENTIZE_PY" --wit-path wit --world handler componentize app --output {{name}}.wasm
