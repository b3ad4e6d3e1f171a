/* A map in a memory-mapped file that a Weir gateway shares with native processes.
 *
 * The layout of the file is described in docs/pinned-maps.md. Linux; C11 with the builtins of GCC or
 * Clang; a little-endian machine with lock-free 64-bit atomics. Functions may be called by many
 * threads with one map. They return 0 or one of the numbers below; none of them aborts, whatever
 * stands in the file.
 */
#ifndef WEIR_PINNED_H
#define WEIR_PINNED_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum weir_pinned_error {
    WEIR_PINNED_OK = 0,
    WEIR_PINNED_AGAIN = 6,     /* the condition does not hold */
    WEIR_PINNED_BUSY = 16,     /* somebody writes to the entry and does not finish */
    WEIR_PINNED_INVAL = 28,    /* the file is no pinned map, or the key or value is too long */
    WEIR_PINNED_IO = 29,       /* the system refused: see errno */
    WEIR_PINNED_NOENT = 44,    /* there is no such entry */
    WEIR_PINNED_NOSPC = 51,    /* the key's bucket is full */
    WEIR_PINNED_OVERFLOW = 61, /* the buffer is too small, or the sum does not fit */
    WEIR_PINNED_STALE = 72,    /* the map was made anew: open it again */
    WEIR_PINNED_NOTCAPABLE = 76 /* it was opened for reading */
};

/* What has no end. */
#define WEIR_PINNED_NEVER UINT64_MAX

typedef struct weir_pinned weir_pinned;

/* What is known of an entry. */
typedef struct {
    uint64_t version;
    uint64_t ends_ms; /* since 1970, or WEIR_PINNED_NEVER */
    size_t value_len;
} weir_pinned_entry;

/* Opens a map that the gateway has made: for reading (0), or for writing as well (1). */
int weir_pinned_open(const char *path, int writes, weir_pinned **map);

void weir_pinned_close(weir_pinned *map);

/* Copies a value. If it is longer than the buffer, entry->value_len says how long it is, and nothing
 * is copied. No lock, no system call but for the time. */
int weir_pinned_get(const weir_pinned *map, const void *key, size_t key_len, void *value,
                    size_t value_max, weir_pinned_entry *entry);

/* When the value is stored. */
typedef enum {
    WEIR_PINNED_ALWAYS,
    WEIR_PINNED_IF_ABSENT,
    WEIR_PINNED_IF_VERSION
} weir_pinned_condition;

/* Stores a value. ttl_ms 0: it stays. `version` is what must be there for WEIR_PINNED_IF_VERSION, and
 * becomes that of the entry, the new one or the one in the way; may be null without a condition. */
int weir_pinned_set(weir_pinned *map, const void *key, size_t key_len, const void *value,
                    size_t value_len, uint64_t ttl_ms, weir_pinned_condition condition,
                    uint64_t *version);

/* Adds to a counter of 8 bytes, which begins at 0; it keeps its end. */
int weir_pinned_add(weir_pinned *map, const void *key, size_t key_len, int64_t delta, int64_t *sum);

int weir_pinned_delete(weir_pinned *map, const void *key, size_t key_len);

#ifdef __cplusplus
}
#endif
#endif
