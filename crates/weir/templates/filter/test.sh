#!/bin/sh
# Plays requests against the filter: weir dev --run ./test.sh
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
# Responses are greeted with the text of the configuration.
expect 'x-greeting: Hello' "$WEIR_URL/"
# Behind the filter stands an echo: it shows what the filter did to the request.
expect 'x-seen-by: {{name}}' "$WEIR_URL/"
# What is private needs to say who asks.
expect '401 Unauthorized' "$WEIR_URL/private/page"
expect '200 OK' --header 'authorization: Bearer me' "$WEIR_URL/private/page"
echo 'test: all is as expected' >&2
