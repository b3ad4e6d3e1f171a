/* The part of the Proxy-Wasm ABI 0.2.1 that this filter uses. More of it, as you need it:
 * https://github.com/proxy-wasm/spec/tree/main/abi-versions/v0.2.1 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define HOST(name) __attribute__((import_module("env"), import_name(#name)))
#define EXPORT(name) __attribute__((export_name(#name)))

enum log_level { TRACE, DEBUG, INFO, WARN, ERROR, CRITICAL };
enum status { OK = 0, NOT_FOUND = 1 };
enum action { CONTINUE = 0, PAUSE = 1 };
enum header_map { REQUEST_HEADERS = 0, RESPONSE_HEADERS = 2 };
enum buffer { REQUEST_BODY = 0, RESPONSE_BODY = 1, PLUGIN_CONFIGURATION = 7 };

HOST(proxy_log) uint32_t proxy_log(uint32_t level, const char *text, size_t size);
HOST(proxy_get_buffer_bytes)
uint32_t proxy_get_buffer_bytes(uint32_t buffer, size_t start, size_t max, char **bytes, size_t *size);
HOST(proxy_get_header_map_value)
uint32_t proxy_get_header_map_value(uint32_t map, const char *name, size_t name_size, char **value,
                                    size_t *value_size);
HOST(proxy_replace_header_map_value)
uint32_t proxy_replace_header_map_value(uint32_t map, const char *name, size_t name_size,
                                        const char *value, size_t value_size);
/* `headers`: 4 bytes of their count; for each, 4 bytes of the sizes of name and value; then for each
 * name, 0, value, 0. Without any, size 0. `grpc_status`: -1 for none. */
HOST(proxy_send_local_response)
uint32_t proxy_send_local_response(uint32_t status, const char *details, size_t details_size,
                                   const char *body, size_t body_size, const char *headers,
                                   size_t headers_size, int32_t grpc_status);
