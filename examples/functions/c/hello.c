// A function of the kind `core` without a library: greets who the path names, in capitals if the
// configuration's setting `loud` says `yes`. `shout` is for trying it by hand:
//
//     weir run examples/functions/c/hello.wasm --text --invoke shout hello

#include <stddef.h>
#include <stdint.h>

#define HOST(name) __attribute__((import_module("weir_v1"), import_name(name)))
#define EXPORT(name) __attribute__((export_name(name)))

typedef struct {
  const char *at;
  size_t bytes;
} text;

HOST("respond_header")
int32_t respond_header(const char *name, size_t name_bytes, const char *value, size_t value_bytes);
HOST("respond_write") int32_t respond_write(const char *bytes, size_t count);
HOST("setting") int32_t setting(const char *key, size_t key_bytes, text *value);
HOST("log") int32_t log_line(int32_t level, const char *line, size_t bytes);

extern char __heap_base;

// An instance answers one request, so nothing is ever freed.
EXPORT("malloc") void *allocate(size_t bytes) {
  static uintptr_t next;
  if (next == 0) next = (uintptr_t)&__heap_base;
  uintptr_t start = (next + 7) & ~(uintptr_t)7;
  uintptr_t end = start + bytes;
  uintptr_t have = __builtin_wasm_memory_size(0) * 65536;
  if (end < start) return NULL;
  if (end > have && __builtin_wasm_memory_grow(0, (end - have + 65535) / 65536) == SIZE_MAX) {
    return NULL;
  }
  next = end;
  return (void *)start;
}

static void capitals(char *at, size_t bytes) {
  for (size_t i = 0; i < bytes; i++) {
    if (at[i] >= 'a' && at[i] <= 'z') at[i] -= 32;
  }
}

// Answers address and length in one number.
EXPORT("shout") uint64_t shout(char *at, size_t bytes) {
  capitals(at, bytes);
  return (uint64_t)(uintptr_t)at << 32 | bytes;
}

EXPORT("handle")
int32_t handle(const char *method, size_t method_bytes, char *path, size_t path_bytes,
               const char *headers, size_t headers_bytes, const char *body, size_t body_bytes) {
  (void)headers, (void)headers_bytes, (void)body, (void)body_bytes;
  if (method_bytes != 3 || method[0] != 'G') return 405;
  size_t end = 1;
  while (end < path_bytes && path[end] != '?') end++;
  if (end == 1) {
    log_line(3, "nobody to greet", 15);
    return 404;
  }
  text loud;
  if (setting("loud", 4, &loud) == 0 && loud.bytes == 3) capitals(path, end);
  respond_header("content-type", 12, "text/plain", 10);
  respond_write("Hello, ", 7);
  respond_write(path + 1, end - 1);
  respond_write("!\n", 2);
  return 0;
}
