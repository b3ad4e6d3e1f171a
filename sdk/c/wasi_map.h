/* Shared maps for WebAssembly modules: the guest's side of WASI-Map, for C99 and later.
 *
 * One header, no library: every function is an import of the module "wasi_map_v1". It needs nothing
 * but a compiler for wasm32; a C library is welcome, and not needed:
 *
 *     clang --target=wasm32 -nostdlib -Wl,--no-entry -O2 -I sdk/c -o guest.wasm guest.c
 *
 * A module names a map and never a back end. It reaches a map by a grant of the configuration, or by
 * a ticket of another module. All functions return a number of enum wasi_map_errno; what fails has
 * changed nothing, and writes nothing through its pointers, but for sizes when the answer is
 * WASI_MAP_OVERFLOW, and the version when compare_and_swap answers WASI_MAP_AGAIN.
 *
 * For modules of the first draft: define WASI_MAP_DRAFT before including this, and wasi_map_open,
 * _set, _get, _delete and _exists are those of the draft. See the end of this file.
 */
#ifndef WASI_MAP_H
#define WASI_MAP_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
#define WASI_MAP_ASSERT(what, why) static_assert(what, why)
extern "C" {
#else
#define WASI_MAP_ASSERT(what, why) _Static_assert(what, why)
#endif

#if defined(__wasm__)
#define WASI_MAP_IMPORT(from, name) \
  __attribute__((import_module(from), import_name(name), warn_unused_result)) extern
#define WASI_MAP_EXPORT(name) __attribute__((export_name(name)))
#else
#error "wasi_map.h is for modules: compile with --target=wasm32 or wasm32-wasi"
#endif

WASI_MAP_ASSERT(sizeof(void *) == 4 && sizeof(size_t) == 4, "pointers have 32 bits");

/* Why the host refused an operation: numbers of WASI preview 1. */
enum wasi_map_errno {
  WASI_MAP_SUCCESS = 0,
  WASI_MAP_AGAIN = 6,          /* a condition does not hold: read the entry and try again */
  WASI_MAP_BADF = 8,           /* the handle is closed, or was moved away */
  WASI_MAP_EXIST = 20,         /* it is there already */
  WASI_MAP_FAULT = 21,         /* a range is not in this module's memory */
  WASI_MAP_INVAL = 28,         /* an argument means nothing, or the entry is of another kind */
  WASI_MAP_IO = 29,            /* the back end failed */
  WASI_MAP_NAMETOOLONG = 37,   /* names have 1 to 256 bytes */
  WASI_MAP_NOENT = 44,         /* nothing is there, or nothing that this module may know of */
  WASI_MAP_NOMEM = 48,         /* too many handles, watches or maps */
  WASI_MAP_NOSPC = 51,         /* a quota is used up */
  WASI_MAP_NOTSUP = 58,        /* the back end, or the host, cannot do that */
  WASI_MAP_OVERFLOW = 61,      /* a number or an answer does not fit */
  WASI_MAP_STALE = 72,         /* what was lent has been taken back, or a cursor is too old */
  WASI_MAP_TIMEDOUT = 73,      /* the back end did not answer in time, or nothing changed */
  WASI_MAP_NOTCAPABLE = 76     /* a right is missing */
};

/* What a handle allows. */
#define WASI_MAP_READ UINT64_C(1)
#define WASI_MAP_WRITE UINT64_C(2)
#define WASI_MAP_DELETE UINT64_C(4)
#define WASI_MAP_LIST UINT64_C(8)
#define WASI_MAP_WATCH UINT64_C(16)
#define WASI_MAP_CREATE UINT64_C(32)
#define WASI_MAP_SHARE UINT64_C(64)
#define WASI_MAP_MAP_READ UINT64_C(128)
#define WASI_MAP_MAP_WRITE UINT64_C(256)
#define WASI_MAP_CLEAR UINT64_C(512)
#define WASI_MAP_ALL UINT64_C(1023)

/* From 1 on, and only in this instance. */
typedef uint32_t wasi_map_handle;
/* From 1 on; numbers of their own. */
typedef uint32_t wasi_map_watch_id;

/* Carries a map to the use (filter or function of the configuration) that it was made out to. */
typedef struct wasi_map_ticket {
  uint8_t bytes[16];
} wasi_map_ticket;

/* How a map of one's own is made. Zeros: as the host likes. */
typedef struct wasi_map_options {
  uint64_t entries_max;
  uint64_t bytes_max;
  uint64_t value_bytes_max;
  uint64_t ttl_ms;   /* of entries that are written without one; 0: they stay */
  uint32_t eviction; /* 1: a full map lets entries go that were not used for long */
  uint32_t shards;   /* parts that are written to independently, a power of two */
} wasi_map_options;

#define WASI_MAP_IF_ABSENT UINT32_C(1)  /* there must be no such entry */
#define WASI_MAP_IF_VERSION UINT32_C(2) /* the entry must have this version */
#define WASI_MAP_TTL UINT32_C(4)        /* the entry ends after this time */

/* How a value is stored. */
typedef struct wasi_map_terms {
  uint32_t flags;
  uint32_t pad; /* 0 */
  uint64_t version;
  uint64_t ttl_ms;
} wasi_map_terms;

typedef struct wasi_map_stat_t {
  uint64_t entries;
  uint64_t bytes;
  uint64_t version;
  uint64_t quota_bytes;
  uint64_t references;
  uint64_t flags; /* 1: the operator has named it, 2: it evicts, 4: its entries end */
} wasi_map_stat_t;

/* Where a scan goes on. Zeros begin one, and come back with its last page. */
typedef struct wasi_map_cursor {
  uint8_t bytes[16];
} wasi_map_cursor;

/* Before the key and value of an entry of a page; the next one follows at a multiple of 8. */
typedef struct wasi_map_item {
  uint32_t key_len;
  uint32_t value_len; /* or WASI_MAP_IS_MAP, WASI_MAP_IS_REGION: no value follows */
  uint64_t version;
} wasi_map_item;

#define WASI_MAP_IS_MAP UINT32_MAX          /* the entry refers to a map */
#define WASI_MAP_IS_REGION (UINT32_MAX - 1) /* the entry is a region */

enum wasi_map_op_kind {
  WASI_MAP_OP_CHECK = 1,    /* requires the condition in flags and number (a version) */
  WASI_MAP_OP_SET = 2,      /* stores the value on the terms in flags, number and ttl_ms */
  WASI_MAP_OP_DELETE = 3,   /* removes the entry if it is there */
  WASI_MAP_OP_INCREMENT = 4 /* adds number */
};

/* One operation of a batch. */
typedef struct wasi_map_op {
  uint32_t kind;
  uint32_t flags;
  const void *key;
  size_t key_len;
  const void *value;
  size_t value_len;
  uint64_t number;
  uint64_t ttl_ms;
} wasi_map_op;

/* What it did. */
typedef struct wasi_map_done {
  uint64_t version; /* of a check the one found, of a set or an increment the new one */
  int64_t value;    /* of a delete 1 if there was an entry, of an increment the sum */
} wasi_map_done;

enum wasi_map_change_kind {
  WASI_MAP_CHANGE_SET = 1,
  WASI_MAP_CHANGE_DELETED = 2,
  WASI_MAP_CHANGE_ENDED = 3,
  WASI_MAP_CHANGE_EVICTED = 4,
  WASI_MAP_CHANGE_CLEARED = 5, /* all entries were removed at once */
  WASI_MAP_CHANGE_RESYNC = 6,  /* there was more than could wait: read the map again */
  WASI_MAP_CHANGE_GONE = 7     /* the map is gone; nothing follows */
};

/* Before the key of a change; the next one follows at a multiple of 8. */
typedef struct wasi_map_change {
  uint32_t key_len;
  uint32_t kind;
  uint64_t version;
} wasi_map_change;

WASI_MAP_ASSERT(sizeof(wasi_map_ticket) == 16, "a ticket");
WASI_MAP_ASSERT(sizeof(wasi_map_options) == 40 && offsetof(wasi_map_options, eviction) == 32, "options");
WASI_MAP_ASSERT(sizeof(wasi_map_terms) == 24 && offsetof(wasi_map_terms, version) == 8, "terms");
WASI_MAP_ASSERT(sizeof(wasi_map_stat_t) == 48, "a map's numbers");
WASI_MAP_ASSERT(sizeof(wasi_map_cursor) == 16, "a cursor");
WASI_MAP_ASSERT(sizeof(wasi_map_item) == 16 && offsetof(wasi_map_item, version) == 8, "an entry");
WASI_MAP_ASSERT(sizeof(wasi_map_op) == 40 && offsetof(wasi_map_op, number) == 24, "an operation");
WASI_MAP_ASSERT(sizeof(wasi_map_done) == 16, "what an operation did");
WASI_MAP_ASSERT(sizeof(wasi_map_change) == 16 && offsetof(wasi_map_change, version) == 8, "a change");

/* How many bytes an entry, or a change (value_len 0), takes of a page. */
static inline size_t wasi_map_packed_len(size_t key_len, size_t value_len) {
  size_t bytes = 16 + key_len + (value_len >= WASI_MAP_IS_REGION ? 0 : value_len);
  return (bytes + 7) & ~(size_t)7;
}

#ifndef WASI_MAP_DRAFT
#define WASI_MAP_FUNCTION(name) WASI_MAP_IMPORT("wasi_map_v1", #name) int32_t wasi_map_##name

/* A map that the configuration grants by this name. */
WASI_MAP_FUNCTION(open)(const char *name, size_t name_len, uint64_t rights, wasi_map_handle *out);
/* A map of one's own, with all rights; it lives while something refers to it. options may be NULL. */
WASI_MAP_FUNCTION(create)(const wasi_map_options *options, wasi_map_handle *out);
/* Gives a handle back. */
WASI_MAP_FUNCTION(close)(wasi_map_handle map);
/* Another handle to the same map, with fewer rights or the same. */
WASI_MAP_FUNCTION(dup)(wasi_map_handle map, uint64_t rights, wasi_map_handle *out);
/* A ticket that lends the map to a use, until the handle is closed or the request ends. */
WASI_MAP_FUNCTION(lend)(wasi_map_handle map, uint64_t rights, const char *to, size_t to_len,
                        wasi_map_ticket *out);
/* A ticket that moves the handle to a use; it is gone here at once. */
WASI_MAP_FUNCTION(transfer)(wasi_map_handle map, const char *to, size_t to_len,
                            wasi_map_ticket *out);
/* A handle for a ticket, once. */
WASI_MAP_FUNCTION(accept)(const wasi_map_ticket *ticket, wasi_map_handle *out);
/* What a handle allows. */
WASI_MAP_FUNCTION(rights)(wasi_map_handle map, uint64_t *out);
/* Numbers of a map. */
WASI_MAP_FUNCTION(stat)(wasi_map_handle map, wasi_map_stat_t *out);

/* Copies a value into a buffer. Too small: WASI_MAP_OVERFLOW and the size needed. */
WASI_MAP_FUNCTION(get)(wasi_map_handle map, const void *key, size_t key_len, void *buf,
                       size_t buf_len, size_t *size, uint64_t *version);
/* Copies a value into memory that the host takes from this module's export wasi_map_alloc, else
 * cabi_realloc, proxy_on_memory_allocate or malloc. The caller frees it. */
WASI_MAP_FUNCTION(get_alloc)(wasi_map_handle map, const void *key, size_t key_len, void **value,
                             size_t *size, uint64_t *version);
/* Stores a value, whatever was there. */
WASI_MAP_FUNCTION(set)(wasi_map_handle map, const void *key, size_t key_len, const void *value,
                       size_t value_len);
/* Stores a value on terms. */
WASI_MAP_FUNCTION(set_with)(wasi_map_handle map, const void *key, size_t key_len,
                            const void *value, size_t value_len, const wasi_map_terms *terms,
                            uint64_t *version);
/* Removes an entry; none there: WASI_MAP_NOENT. */
WASI_MAP_FUNCTION(delete)(wasi_map_handle map, const void *key, size_t key_len);
/* Whether there is an entry: 0 or 1. */
WASI_MAP_FUNCTION(exists)(wasi_map_handle map, const void *key, size_t key_len, uint32_t *out);
/* Stores a value if the entry has the expected version, 0: if there is none. */
WASI_MAP_FUNCTION(compare_and_swap)(wasi_map_handle map, const void *key, size_t key_len,
                                    uint64_t expected, const void *value, size_t value_len,
                                    uint64_t *version);
/* Adds to a counter, a value of 8 bytes that begins at 0 and never wraps. */
WASI_MAP_FUNCTION(increment)(wasi_map_handle map, const void *key, size_t key_len, int64_t delta,
                             int64_t *value);

/* A page of the entries whose keys begin with a prefix, in the order of their keys. */
WASI_MAP_FUNCTION(scan)(wasi_map_handle map, const void *prefix, size_t prefix_len,
                        wasi_map_cursor *cursor, void *buf, size_t buf_len, size_t *used);
/* Does all operations in their order, as one step, or none. There are as many results. */
WASI_MAP_FUNCTION(batch)(wasi_map_handle map, const wasi_map_op *ops, size_t count,
                         wasi_map_done *results);
/* Removes all entries. */
WASI_MAP_FUNCTION(clear)(wasi_map_handle map);

/* Follows the changes of keys that begin with a prefix, from now on. */
WASI_MAP_FUNCTION(watch)(wasi_map_handle map, const void *prefix, size_t prefix_len,
                         wasi_map_watch_id *out);
/* The next changes. None: WASI_MAP_AGAIN at once if timeout_ms is 0, WASI_MAP_TIMEDOUT after it;
 * below 0 it waits as long as it takes. Modules that cannot be suspended, as filters, never wait. */
WASI_MAP_FUNCTION(next)(wasi_map_watch_id watch, int64_t timeout_ms, void *buf, size_t buf_len,
                        size_t *used);
/* Ends a watch. */
WASI_MAP_FUNCTION(unwatch)(wasi_map_watch_id watch);

/* Lets an entry refer to another map, which lives as long as it does. */
WASI_MAP_FUNCTION(put_map)(wasi_map_handle map, const void *key, size_t key_len,
                           wasi_map_handle child);
/* A handle to the map that an entry refers to. */
WASI_MAP_FUNCTION(get_map)(wasi_map_handle map, const void *key, size_t key_len,
                           wasi_map_handle *out);

#define WASI_MAP_PROT_READ UINT32_C(1)
#define WASI_MAP_PROT_WRITE UINT32_C(2)

/* Makes a region of zeros as the value of a key. */
WASI_MAP_FUNCTION(region_create)(wasi_map_handle map, const void *key, size_t key_len,
                                 uint64_t len);
/* Maps a part of a region, from a multiple of 64 KiB on, into this module's memory. What is written to
 * a mapping for reading stays here; a mapping for writing excludes all others: WASI_MAP_AGAIN. */
WASI_MAP_FUNCTION(region_map)(wasi_map_handle map, const void *key, size_t key_len,
                              uint64_t offset, size_t len, uint32_t prot, void **address);
/* Takes a mapping away: the range reads as zeros. */
WASI_MAP_FUNCTION(region_unmap)(void *address, size_t len);

#undef WASI_MAP_FUNCTION

/* Define these to be told: WASI_MAP_ON_CHANGE(context_id, watch) { ... } when a watch has news (the
 * Proxy-Wasm context that began it, else 0), WASI_MAP_ON_RELEASE(map_id) { ... } when a map is gone
 * that this module had borrowed or referred to. */
#define WASI_MAP_ON_CHANGE(context_id, watch) \
  WASI_MAP_EXPORT("wasi_map_on_change")       \
  void wasi_map_on_change(uint32_t context_id, wasi_map_watch_id watch)
#define WASI_MAP_ON_RELEASE(map_id)      \
  WASI_MAP_EXPORT("wasi_map_on_release") \
  void wasi_map_on_release(int64_t map_id)
#endif

/* The first draft: numbers of 32 bits everywhere; a handle of 0, or a negative length, is a failure.
 * Without WASI_MAP_DRAFT the names have a draft_ in them. */
#define WASI_MAP_DRAFT_IMPORT(name) WASI_MAP_IMPORT("wasi_map", "wasi_map_" #name) int32_t
#ifdef WASI_MAP_DRAFT
#define WASI_MAP_DRAFT_NAME(name) wasi_map_##name
#else
#define WASI_MAP_DRAFT_NAME(name) wasi_map_draft_##name
#endif
#define WASI_MAP_DRAFT_FUNCTION(name) WASI_MAP_DRAFT_IMPORT(name) WASI_MAP_DRAFT_NAME(name)

/* The map that the configuration grants by default; 0: there is none. */
WASI_MAP_DRAFT_FUNCTION(open)(void);
/* The same import with a name: a map that the configuration grants by it. */
WASI_MAP_DRAFT_IMPORT(open) WASI_MAP_DRAFT_NAME(open_named)(const char *name, int32_t name_len);
/* 0, or an errno. */
WASI_MAP_DRAFT_FUNCTION(set)(int32_t map, const void *key, int32_t key_len, const void *value,
                             int32_t value_len);
/* The value's length, which may be more than was copied, or an errno below 0. */
WASI_MAP_DRAFT_FUNCTION(get)(int32_t map, const void *key, int32_t key_len, void *buf,
                             int32_t buf_len);
/* 0, or an errno. */
WASI_MAP_DRAFT_FUNCTION(delete)(int32_t map, const void *key, int32_t key_len);
/* 1, 0, or an errno below 0. */
WASI_MAP_DRAFT_FUNCTION(exists)(int32_t map, const void *key, int32_t key_len);
#undef WASI_MAP_DRAFT_FUNCTION
#undef WASI_MAP_DRAFT_NAME
#undef WASI_MAP_DRAFT_IMPORT

#ifdef __cplusplus
}
#endif
#endif
