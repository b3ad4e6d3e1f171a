// The classic demonstration of host functions, both ways: the host gives the module `add`, and the
// module gives the host `multiply`.
//
//     weir run examples/functions/c/demo.wasm
//     weir run examples/functions/c/demo.wasm --invoke multiply 3 5

#include <stddef.h>
#include <stdint.h>

#define IMPORT(module, name) __attribute__((import_module(module), import_name(name)))
#define EXPORT(name) __attribute__((export_name(name)))

typedef struct {
  const char *text;
  size_t bytes;
} piece;

// As TinyGo names a function `add` of the package `main`.
IMPORT("env", "main.add") int32_t add(int32_t x, int32_t y);

IMPORT("wasi_snapshot_preview1", "fd_write")
int32_t fd_write(int32_t fd, const piece *pieces, size_t count, size_t *written);

EXPORT("multiply") int32_t multiply(int32_t x, int32_t y) { return x * y; }

EXPORT("_start") void start(void) {
  char sum[] = "0\n";
  sum[0] = (char)('0' + add(2, 3));
  const piece pieces[] = {{"the host says 2+3= ", 19}, {sum, 2}};
  // One piece at a time: a host may take only the first.
  for (int at = 0; at < 2; at++) {
    size_t written;
    fd_write(1, &pieces[at], 1, &written);
  }
}
