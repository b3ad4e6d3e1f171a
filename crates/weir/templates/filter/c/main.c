/* A filter: greets in responses, and asks who wants to see what is private.
 *
 * Configuration: the greeting, as it is. No C library is needed. For C++ there is an SDK:
 * https://github.com/proxy-wasm/proxy-wasm-cpp-sdk */
#include "proxy_wasm.h"

#define TEXT(text) (text), sizeof(text) - 1

/* The host asks for memory only to hand over what a call answers, and that is used up before the
 * callback ends: each callback begins anew at the start of the heap. */
extern char __heap_base;
static size_t used;

EXPORT(malloc) void *allocate(size_t size) {
  const size_t page = 65536;
  size_t start = (size_t)&__heap_base + used;
  size_t end = start + ((size + 15) & ~(size_t)15);
  size_t memory = __builtin_wasm_memory_size(0) * page;
  if (end < start) return 0;
  if (end > memory && __builtin_wasm_memory_grow(0, (end - memory + page - 1) / page) == ~(size_t)0) return 0;
  used = end - (size_t)&__heap_base;
  return (void *)start;
}

EXPORT(proxy_abi_version_0_2_1) void abi_version(void) {}

EXPORT(proxy_on_context_create) void on_context_create(uint32_t context, uint32_t parent) {
  (void)context, (void)parent;
}

static char greeting[256];
static size_t greeting_size;

EXPORT(proxy_on_configure) uint32_t on_configure(uint32_t root, size_t size) {
  (void)root;
  char *text = 0;
  used = 0;
  greeting_size = 0;
  if (size == 0) return 1;
  if (size > sizeof greeting || proxy_get_buffer_bytes(PLUGIN_CONFIGURATION, 0, size, &text, &size) != OK) {
    proxy_log(ERROR, TEXT("the configuration is longer than 256 bytes"));
    return 0;
  }
  for (; greeting_size < size; greeting_size++) greeting[greeting_size] = text[greeting_size];
  return 1;
}

static int begins_with(const char *text, size_t size, const char *start, size_t start_size) {
  if (size < start_size) return 0;
  for (size_t i = 0; i < start_size; i++) {
    if (text[i] != start[i]) return 0;
  }
  return 1;
}

EXPORT(proxy_on_request_headers) uint32_t on_request_headers(uint32_t context, uint32_t count, uint32_t end) {
  (void)context, (void)count, (void)end;
  char *path = 0, *who = 0;
  size_t path_size = 0, who_size = 0;
  used = 0;
  proxy_get_header_map_value(REQUEST_HEADERS, TEXT(":path"), &path, &path_size);
  uint32_t known = proxy_get_header_map_value(REQUEST_HEADERS, TEXT("authorization"), &who, &who_size);
  if (known != OK && begins_with(path, path_size, TEXT("/private"))) {
    proxy_send_local_response(401, 0, 0, TEXT("Who are you?\n"), 0, 0, -1);
    return PAUSE;
  }
  proxy_replace_header_map_value(REQUEST_HEADERS, TEXT("x-seen-by"), TEXT("{{name}}"));
  return CONTINUE;
}

EXPORT(proxy_on_response_headers) uint32_t on_response_headers(uint32_t context, uint32_t count, uint32_t end) {
  (void)context, (void)count, (void)end;
  used = 0;
  proxy_replace_header_map_value(RESPONSE_HEADERS, TEXT("x-greeting"), greeting, greeting_size);
  return CONTINUE;
}
