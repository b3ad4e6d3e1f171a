// The quick start's second filter, in C and with nothing but the Proxy-Wasm ABI: turns response
// bodies into upper case. It needs no SDK, no libc and no WASI, and is smaller than this source.
//
// A body changes its bytes here, not its length, but the filter behaves as one that may: it takes
// `content-length` away, and holds the body until it is complete.

typedef unsigned char byte;
typedef unsigned int u32;

#define HOST(name) __attribute__((import_module("env"), import_name(#name)))
#define EXPORT(name) __attribute__((export_name(#name)))

// Values of the ABI, version 0.2.1.
enum { RESPONSE_HEADERS = 2 };
enum { RESPONSE_BODY = 1 };
enum { OK = 0 };
enum { CONTINUE = 0, PAUSE = 1 };

HOST(proxy_remove_header_map_value) u32 remove_header(u32 map, const char *name, u32 name_size);
HOST(proxy_get_buffer_bytes) u32 get_buffer(u32 buffer, u32 start, u32 size, byte **bytes, u32 *count);
HOST(proxy_set_buffer_bytes) u32 set_buffer(u32 buffer, u32 start, u32 size, const byte *bytes, u32 count);

// The host asks for memory only to hand over the bytes that a call returns, and those are used up
// before the callback ends. So one growing block serves, which every callback fills from its start.
extern byte __heap_base;
static u32 used;

EXPORT(malloc) byte *allocate(u32 size) {
    const u32 page = 65536;
    const u32 start = (u32)&__heap_base + used;
    const u32 end = start + ((size + 15) & ~15u);
    const u32 memory = __builtin_wasm_memory_size(0) * page;
    if (end < start) return 0;
    if (end > memory && __builtin_wasm_memory_grow(0, (end - memory + page - 1) / page) == ~0ul) return 0;
    used = end - (u32)&__heap_base;
    return (byte *)start;
}

EXPORT(proxy_abi_version_0_2_1) void abi_version(void) {}

EXPORT(proxy_on_context_create) void on_context_create(u32 context, u32 parent) {
    (void)context, (void)parent;
}

EXPORT(proxy_on_response_headers) u32 on_response_headers(u32 context, u32 count, u32 end) {
    (void)context, (void)count, (void)end;
    static const char name[] = "content-length";
    used = 0;
    remove_header(RESPONSE_HEADERS, name, sizeof name - 1);
    return CONTINUE;
}

EXPORT(proxy_on_response_body) u32 on_response_body(u32 context, u32 size, u32 end) {
    (void)context;
    if (!end) return PAUSE;
    byte *body = 0;
    u32 count = 0;
    used = 0;
    if (get_buffer(RESPONSE_BODY, 0, size, &body, &count) != OK) return CONTINUE;
    for (u32 i = 0; i < count; i++) {
        if (body[i] >= 'a' && body[i] <= 'z') body[i] -= 'a' - 'A';
    }
    set_buffer(RESPONSE_BODY, 0, size, body, count);
    return CONTINUE;
}
