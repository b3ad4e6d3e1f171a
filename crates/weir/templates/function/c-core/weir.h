/* What a core module may call of the gateway, as far as this function does. The rest, and shared
 * maps: docs/functions.md and docs/guest-maps.md of Weir. All answer 0, or the number of an error. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define HOST(name) __attribute__((import_module("weir_v1"), import_name(#name)))
#define EXPORT(name) __attribute__((export_name(#name)))

struct bytes {
  char *address;
  size_t size;
};

/* Before the first byte of the body. */
HOST(respond_status) int32_t respond_status(uint32_t status);
HOST(respond_header)
int32_t respond_header(const char *name, size_t name_size, const char *value, size_t value_size);
/* The first piece sends the head. */
HOST(respond_write) int32_t respond_write(const char *bytes, size_t size);
/* What the configuration's `settings` say. */
HOST(setting) int32_t setting(const char *key, size_t key_size, struct bytes *value);
/* Level 0 (trace) to 5 (critical). */
HOST(log) int32_t log_line(uint32_t level, const char *text, size_t size);
