#!/bin/sh
# Plays requests against the function: weir dev --run ./test.sh
set -eu

# expect TEXT CURL-ARGUMENTS...: the answer, head and body, has this text in it.
expect() {
  wanted=$1
  shift
  answer=$(curl --silent --show-error --include --noproxy '*' --max-time 10 "$@")
  case $answer in
    *"$wanted"*) ;;
    *)
      printf 'expected: %s\nanswer to %s:\n%s\n' "$wanted" "$*" "$answer" >&2
      exit 1
      ;;
  esac
}

expect '200 OK' "$WEIR_URL/"
expect 'Hello from {{name}}' "$WEIR_URL/"
expect 'content-type: text/plain' "$WEIR_URL/"
# What it is sent comes back in capitals.
expect 'SOME WORDS' --data 'some words' "$WEIR_URL/"
expect '405 Method Not Allowed' --request DELETE "$WEIR_URL/"
echo 'test: all is as expected' >&2
