#!/bin/sh
# Asks the function of any of these folders: weir dev FOLDER/weir.yaml --run ./test.sh
set -eu
answer=$(printf 'one two\nthree\n' |
  curl --silent --show-error --noproxy '*' --max-time 20 --data-binary @- "$WEIR_URL/")
expected='{"lines":2,"words":3,"bytes":14}'
if [ "$answer" != "$expected" ]; then
  printf 'expected: %s\nanswer:   %s\n' "$expected" "$answer" >&2
  exit 1
fi
echo 'test: all is as expected' >&2
