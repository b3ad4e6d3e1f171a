/* Reads and writes pinned maps: see weir_pinned.h, and docs/pinned-maps.md for the layout.
 *
 * Invariant: whatever stands in the file, nothing outside of it is touched. The numbers of the header
 * are read and checked once; lengths in slots are cut to the room that there is. */
#define _GNU_SOURCE
#include "weir_pinned.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "pinned maps are little-endian"
#endif

typedef uint64_t word;

/* Words of the header. */
enum {
    AT_MAGIC = 0,
    AT_VERSION = 1,
    AT_HEADER_BYTES = 2,
    AT_FILE_BYTES = 3,
    AT_BUCKETS = 4,
    AT_SLOTS = 5,
    AT_SLOT_BYTES = 6,
    AT_KEY_BYTES = 7,
    AT_VALUE_BYTES = 8,
    AT_HASH_KEYS = 9,
    AT_STATE = 13,
    AT_LAST_VERSION = 16,
    AT_LOST = 24
};
/* Words of a bucket. */
enum { AT_SEQUENCE = 0, AT_OWNER = 1, AT_WRITING = 2, BUCKET_HEADER_WORDS = 8 };
/* Words of a slot. */
enum { AT_ENTRY_VERSION = 0, AT_ENDS = 1, AT_LENGTHS = 2, AT_HASH = 3, AT_KEY = 4 };

#define MAGIC 0x314e495052494557ull /* "WEIRPIN1" */
#define LAYOUT 1
#define HEADER_BYTES 4096
#define READY 1
#define RETIRED 2
#define WRITER_BYTE 2048
#define WRITERS 256
/* So often, and so many milliseconds, somebody looks again at what another one is writing to. */
#define LOOKS 10000
#define WAIT_MS 1000

struct weir_pinned {
    int file;
    word *words;
    size_t bytes;
    word buckets, slots, slot_words, key_bytes, value_bytes;
    size_t bucket_words, key_words;
    word hash_keys[2];
    word me; /* 0: reads only */
};

/* What is looked for. */
struct wanted {
    const unsigned char *key;
    size_t key_len;
    word hash, now_ms;
};

static word load(const word *at) { return __atomic_load_n(at, __ATOMIC_RELAXED); }
static word load_acquire(const word *at) { return __atomic_load_n(at, __ATOMIC_ACQUIRE); }
static void store(word *at, word value) { __atomic_store_n(at, value, __ATOMIC_RELAXED); }
static void store_release(word *at, word value) { __atomic_store_n(at, value, __ATOMIC_RELEASE); }

static word rotated(word value, int bits) { return value << bits | value >> (64 - bits); }

static void sip_round(word v[4]) {
    v[0] += v[1];
    v[1] = rotated(v[1], 13) ^ v[0];
    v[0] = rotated(v[0], 32);
    v[2] += v[3];
    v[3] = rotated(v[3], 16) ^ v[2];
    v[0] += v[3];
    v[3] = rotated(v[3], 21) ^ v[0];
    v[2] += v[1];
    v[1] = rotated(v[1], 17) ^ v[2];
    v[2] = rotated(v[2], 32);
}

static void sip_absorb(word v[4], word next) {
    v[3] ^= next;
    sip_round(v);
    sip_round(v);
    v[0] ^= next;
}

/* Eight bytes from `at` on; what is beyond the end is zero. */
static word word_at(const unsigned char *bytes, size_t length, size_t at) {
    word result = 0;
    if (at < length) {
        size_t rest = length - at;
        memcpy(&result, bytes + at, rest < 8 ? rest : 8);
    }
    return result;
}

/* SipHash-2-4. */
static word hash_of(const word keys[2], const unsigned char *bytes, size_t length) {
    word v[4] = {keys[0] ^ 0x736f6d6570736575ull, keys[1] ^ 0x646f72616e646f6dull,
                 keys[0] ^ 0x6c7967656e657261ull, keys[1] ^ 0x7465646279746573ull};
    size_t whole = length / 8 * 8;
    for (size_t at = 0; at < whole; at += 8) {
        sip_absorb(v, word_at(bytes, length, at));
    }
    sip_absorb(v, word_at(bytes, length, whole) | (word)(length & 255) << 56);
    v[2] ^= 255;
    for (int round = 0; round < 4; round++) {
        sip_round(v);
    }
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}

static word now_ms(void) {
    struct timespec now;
    if (clock_gettime(CLOCK_REALTIME, &now) != 0) {
        return WEIR_PINNED_NEVER - 1;
    }
    return (word)now.tv_sec * 1000 + (word)(now.tv_nsec / 1000000);
}

static size_t words_for(word bytes) { return (size_t)((bytes + 7) / 8); }

/* Checks the header's numbers, as docs/pinned-maps.md says. */
static int read_shape(weir_pinned *map, const word *header, word file_bytes) {
    if (header[AT_MAGIC] != MAGIC || header[AT_VERSION] != LAYOUT) {
        return WEIR_PINNED_INVAL;
    }
    if (header[AT_STATE] == RETIRED) {
        return WEIR_PINNED_STALE;
    }
    map->buckets = header[AT_BUCKETS];
    map->slots = header[AT_SLOTS];
    map->key_bytes = header[AT_KEY_BYTES];
    map->value_bytes = header[AT_VALUE_BYTES];
    if (map->buckets == 0 || (map->buckets & (map->buckets - 1)) != 0 ||
        map->buckets > 1ull << 32 || map->slots == 0 || map->slots > 1024 ||
        map->key_bytes == 0 || map->key_bytes > 64 << 10 || map->value_bytes > 16 << 20) {
        return WEIR_PINNED_INVAL;
    }
    map->key_words = words_for(map->key_bytes);
    map->slot_words = AT_KEY + map->key_words + words_for(map->value_bytes);
    map->bucket_words = BUCKET_HEADER_WORDS + (size_t)(map->slots * map->slot_words);
    word total = 0;
    if (__builtin_mul_overflow(map->buckets, (word)map->bucket_words * 8, &total) ||
        __builtin_add_overflow(total, (word)HEADER_BYTES, &total)) {
        return WEIR_PINNED_INVAL;
    }
    if (header[AT_HEADER_BYTES] != HEADER_BYTES || header[AT_SLOT_BYTES] != map->slot_words * 8 ||
        header[AT_FILE_BYTES] != total || total > file_bytes || total > SIZE_MAX ||
        header[AT_STATE] != READY) {
        return WEIR_PINNED_INVAL;
    }
    map->bytes = (size_t)total;
    map->hash_keys[0] = header[AT_HASH_KEYS];
    map->hash_keys[1] = header[AT_HASH_KEYS + 1];
    return WEIR_PINNED_OK;
}

static word *bucket_at(const weir_pinned *map, word number) {
    return map->words + HEADER_BYTES / 8 + (size_t)number * map->bucket_words;
}

static word *slot_at(const weir_pinned *map, word *bucket, word number) {
    return bucket + BUCKET_HEADER_WORDS + (size_t)number * map->slot_words;
}

/* Ends what an owner that is dead has begun: the slot that it was writing to becomes free. */
static void repair(const weir_pinned *map, word *bucket) {
    word sequence = load(bucket + AT_SEQUENCE);
    if (sequence & 1) {
        word slot = load(bucket + AT_WRITING);
        if (slot < map->slots) {
            store(slot_at(map, bucket, slot) + AT_ENTRY_VERSION, 0);
        }
        store_release(bucket + AT_SEQUENCE, sequence + 1);
        __atomic_fetch_add(map->words + AT_LOST, 1, __ATOMIC_RELAXED);
    }
    store_release(bucket + AT_OWNER, 0);
}

/* Takes a number that no living writer has: whoever has it locks its byte. */
static int take_number(weir_pinned *map) {
    for (word number = 0; number < WRITERS; number++) {
        struct flock request = {.l_type = F_WRLCK,
                                .l_whence = SEEK_SET,
                                .l_start = (off_t)(WRITER_BYTE + number),
                                .l_len = 1};
        if (fcntl(map->file, F_OFD_SETLK, &request) == 0) {
            map->me = number + 1;
            break;
        }
        if (errno != EAGAIN && errno != EACCES) {
            return WEIR_PINNED_IO;
        }
    }
    if (map->me == 0) {
        errno = EUSERS;
        return WEIR_PINNED_IO;
    }
    for (word number = 0; number < map->buckets; number++) {
        word *bucket = bucket_at(map, number);
        if (load(bucket + AT_OWNER) == map->me) {
            repair(map, bucket);
        }
    }
    return WEIR_PINNED_OK;
}

static int open_file(weir_pinned *map, const char *path, int writes) {
    word header[32];
    struct stat status;
    map->file = open(path, (writes ? O_RDWR : O_RDONLY) | O_CLOEXEC);
    if (map->file < 0 || fstat(map->file, &status) != 0) {
        return WEIR_PINNED_IO;
    }
    ssize_t got = pread(map->file, header, sizeof header, 0);
    if (got < 0) {
        return WEIR_PINNED_IO;
    }
    if ((size_t)got != sizeof header) {
        return WEIR_PINNED_INVAL;
    }
    int error = read_shape(map, header, (word)status.st_size);
    if (error != WEIR_PINNED_OK) {
        return error;
    }
    int protection = writes ? PROT_READ | PROT_WRITE : PROT_READ;
    void *base = mmap(NULL, map->bytes, protection, MAP_SHARED, map->file, 0);
    if (base == MAP_FAILED) {
        return WEIR_PINNED_IO;
    }
    map->words = base;
    return writes ? take_number(map) : WEIR_PINNED_OK;
}

int weir_pinned_open(const char *path, int writes, weir_pinned **result) {
    weir_pinned *map = calloc(1, sizeof *map);
    if (map == NULL) {
        return WEIR_PINNED_IO;
    }
    map->file = -1;
    int error = open_file(map, path, writes);
    if (error != WEIR_PINNED_OK) {
        int reason = errno;
        weir_pinned_close(map);
        errno = reason;
        return error;
    }
    *result = map;
    return WEIR_PINNED_OK;
}

void weir_pinned_close(weir_pinned *map) {
    if (map == NULL) {
        return;
    }
    if (map->words != NULL) {
        munmap(map->words, map->bytes);
    }
    if (map->file >= 0) {
        close(map->file);
    }
    free(map);
}

static int look_up(const weir_pinned *map, const void *key, size_t key_len, struct wanted *wanted,
                   word **bucket) {
    if (key_len > map->key_bytes) {
        return WEIR_PINNED_INVAL;
    }
    if (load(map->words + AT_STATE) != READY) {
        return WEIR_PINNED_STALE;
    }
    wanted->key = key;
    wanted->key_len = key_len;
    wanted->hash = hash_of(map->hash_keys, wanted->key, key_len);
    wanted->now_ms = now_ms();
    *bucket = bucket_at(map, wanted->hash & (map->buckets - 1));
    return WEIR_PINNED_OK;
}

static int holds(const word *slot, const struct wanted *wanted) {
    if (load(slot + AT_ENTRY_VERSION) == 0 || load(slot + AT_HASH) != wanted->hash ||
        (load(slot + AT_LENGTHS) & UINT32_MAX) != wanted->key_len) {
        return 0;
    }
    for (size_t at = 0; at * 8 < wanted->key_len; at++) {
        if (load(slot + AT_KEY + at) != word_at(wanted->key, wanted->key_len, at * 8)) {
            return 0;
        }
    }
    return 1;
}

static void copy_out(const weir_pinned *map, const word *slot, void *value, size_t length) {
    const word *from = slot + AT_KEY + map->key_words;
    unsigned char *to = value;
    for (size_t at = 0; at < length; at += 8) {
        word next = load(from + at / 8);
        memcpy(to + at, &next, length - at < 8 ? length - at : 8);
    }
}

/* One look at all slots but the hidden one. */
static int search(const weir_pinned *map, word *bucket, const struct wanted *wanted, word hidden,
                  void *value, size_t value_max, weir_pinned_entry *entry) {
    for (word number = 0; number < map->slots; number++) {
        const word *slot = slot_at(map, bucket, number);
        if (number == hidden || !holds(slot, wanted)) {
            continue;
        }
        entry->version = load(slot + AT_ENTRY_VERSION);
        entry->ends_ms = load(slot + AT_ENDS);
        if (entry->ends_ms <= wanted->now_ms) {
            return WEIR_PINNED_NOENT;
        }
        word length = load(slot + AT_LENGTHS) >> 32;
        entry->value_len = (size_t)(length < map->value_bytes ? length : map->value_bytes);
        if (entry->value_len > value_max) {
            return WEIR_PINNED_OVERFLOW;
        }
        copy_out(map, slot, value, entry->value_len);
        return WEIR_PINNED_OK;
    }
    return hidden == UINT64_MAX ? WEIR_PINNED_NOENT : WEIR_PINNED_BUSY;
}

int weir_pinned_get(const weir_pinned *map, const void *key, size_t key_len, void *value,
                    size_t value_max, weir_pinned_entry *entry) {
    struct wanted wanted;
    word *bucket;
    int found = look_up(map, key, key_len, &wanted, &bucket);
    if (found != WEIR_PINNED_OK) {
        return found;
    }
    for (int look = 0; look < LOOKS; look++) {
        word before = load_acquire(bucket + AT_SEQUENCE);
        /* A writer is inside: only the slot that it has noted can be changing. */
        word hidden = before & 1 ? load_acquire(bucket + AT_WRITING) : UINT64_MAX;
        if (before & 1 && hidden == UINT64_MAX) {
            hidden = UINT64_MAX - 1;
        }
        found = search(map, bucket, &wanted, hidden, value, value_max, entry);
        __atomic_thread_fence(__ATOMIC_ACQUIRE);
        if (load(bucket + AT_SEQUENCE) == before && found != WEIR_PINNED_BUSY) {
            return found;
        }
        if (now_ms() > wanted.now_ms + WAIT_MS) {
            break;
        }
        sched_yield();
    }
    return WEIR_PINNED_BUSY;
}

static int own(weir_pinned *map, const void *key, size_t key_len, struct wanted *wanted,
               word **bucket) {
    if (map->me == 0) {
        return WEIR_PINNED_NOTCAPABLE;
    }
    int error = look_up(map, key, key_len, wanted, bucket);
    for (int look = 0; error == WEIR_PINNED_OK && look < LOOKS; look++) {
        word nobody = 0;
        if (__atomic_compare_exchange_n(*bucket + AT_OWNER, &nobody, map->me, 0, __ATOMIC_ACQUIRE,
                                        __ATOMIC_RELAXED)) {
            return WEIR_PINNED_OK;
        }
        if (now_ms() > wanted->now_ms + WAIT_MS) {
            break;
        }
        sched_yield();
    }
    return error == WEIR_PINNED_OK ? WEIR_PINNED_BUSY : error;
}

static void disown(word *bucket) { store_release(bucket + AT_OWNER, 0); }

/* The slot of an entry, alive or not; map->slots if there is none. */
static word find(const weir_pinned *map, word *bucket, const struct wanted *wanted) {
    word number = 0;
    while (number < map->slots && !holds(slot_at(map, bucket, number), wanted)) {
        number++;
    }
    return number;
}

/* A slot that is free, or whose entry has ended; map->slots if there is none. */
static word vacancy(const weir_pinned *map, word *bucket, const struct wanted *wanted) {
    word ended = map->slots;
    for (word number = 0; number < map->slots; number++) {
        const word *slot = slot_at(map, bucket, number);
        if (load(slot + AT_ENTRY_VERSION) == 0) {
            return number;
        }
        if (ended == map->slots && load(slot + AT_ENDS) <= wanted->now_ms) {
            ended = number;
        }
    }
    return ended;
}

static word live_version(const weir_pinned *map, word *bucket, word slot,
                         const struct wanted *wanted) {
    if (slot == map->slots || load(slot_at(map, bucket, slot) + AT_ENDS) <= wanted->now_ms) {
        return 0;
    }
    return load(slot_at(map, bucket, slot) + AT_ENTRY_VERSION);
}

/* The sequence becomes odd. */
static word begin(word *bucket, word slot) {
    word sequence = load(bucket + AT_SEQUENCE);
    store_release(bucket + AT_WRITING, slot);
    store_release(bucket + AT_SEQUENCE, sequence + 1);
    __atomic_thread_fence(__ATOMIC_RELEASE);
    return sequence;
}

/* And even again. */
static void end(word *bucket, word sequence) { store_release(bucket + AT_SEQUENCE, sequence + 2); }

/* Writes an entry into its slot or a vacant one. For the owner. */
static int put(weir_pinned *map, word *bucket, const struct wanted *wanted, word ends_ms,
               const void *value, size_t value_len, word *version) {
    word number = find(map, bucket, wanted);
    if (number == map->slots) {
        number = vacancy(map, bucket, wanted);
    }
    if (number == map->slots) {
        return WEIR_PINNED_NOSPC;
    }
    word *slot = slot_at(map, bucket, number);
    do {
        /* 0 is a free slot, whatever stands there. */
        *version = __atomic_add_fetch(map->words + AT_LAST_VERSION, 1, __ATOMIC_RELAXED);
    } while (*version == 0);
    word sequence = begin(bucket, number);
    store(slot + AT_ENTRY_VERSION, *version);
    store(slot + AT_ENDS, ends_ms);
    store(slot + AT_LENGTHS, (word)wanted->key_len | (word)value_len << 32);
    store(slot + AT_HASH, wanted->hash);
    for (size_t at = 0; at < wanted->key_len; at += 8) {
        store(slot + AT_KEY + at / 8, word_at(wanted->key, wanted->key_len, at));
    }
    for (size_t at = 0; at < value_len; at += 8) {
        store(slot + AT_KEY + map->key_words + at / 8, word_at(value, value_len, at));
    }
    end(bucket, sequence);
    return WEIR_PINNED_OK;
}

int weir_pinned_set(weir_pinned *map, const void *key, size_t key_len, const void *value,
                    size_t value_len, uint64_t ttl_ms, weir_pinned_condition condition,
                    uint64_t *version) {
    struct wanted wanted;
    word *bucket, ignored;
    uint64_t *out = version == NULL ? &ignored : version;
    if (value_len > map->value_bytes || (version == NULL && condition == WEIR_PINNED_IF_VERSION)) {
        return WEIR_PINNED_INVAL;
    }
    int error = own(map, key, key_len, &wanted, &bucket);
    if (error != WEIR_PINNED_OK) {
        return error;
    }
    word current = live_version(map, bucket, find(map, bucket, &wanted), &wanted);
    if ((condition == WEIR_PINNED_IF_ABSENT && current != 0) ||
        (condition == WEIR_PINNED_IF_VERSION && (current == 0 || current != *out))) {
        *out = current;
        error = WEIR_PINNED_AGAIN;
    } else {
        word ends_ms = WEIR_PINNED_NEVER;
        if (ttl_ms != 0 && __builtin_add_overflow(wanted.now_ms, ttl_ms, &ends_ms)) {
            ends_ms = WEIR_PINNED_NEVER - 1;
        }
        error = put(map, bucket, &wanted, ends_ms, value, value_len, out);
    }
    disown(bucket);
    return error;
}

int weir_pinned_add(weir_pinned *map, const void *key, size_t key_len, int64_t delta,
                    int64_t *sum) {
    struct wanted wanted;
    word *bucket, version;
    if (map->value_bytes < sizeof *sum) {
        return WEIR_PINNED_INVAL;
    }
    int error = own(map, key, key_len, &wanted, &bucket);
    if (error != WEIR_PINNED_OK) {
        return error;
    }
    int64_t before = 0, after = 0;
    word ends_ms = WEIR_PINNED_NEVER;
    word number = find(map, bucket, &wanted);
    if (live_version(map, bucket, number, &wanted) != 0) {
        const word *slot = slot_at(map, bucket, number);
        ends_ms = load(slot + AT_ENDS);
        if (load(slot + AT_LENGTHS) >> 32 != sizeof before) {
            error = WEIR_PINNED_INVAL;
        } else {
            copy_out(map, slot, &before, sizeof before);
        }
    }
    if (error == WEIR_PINNED_OK && __builtin_add_overflow(before, delta, &after)) {
        error = WEIR_PINNED_OVERFLOW;
    }
    if (error == WEIR_PINNED_OK) {
        error = put(map, bucket, &wanted, ends_ms, &after, sizeof after, &version);
    }
    disown(bucket);
    if (error == WEIR_PINNED_OK && sum != NULL) {
        *sum = after;
    }
    return error;
}

int weir_pinned_delete(weir_pinned *map, const void *key, size_t key_len) {
    struct wanted wanted;
    word *bucket;
    int error = own(map, key, key_len, &wanted, &bucket);
    if (error != WEIR_PINNED_OK) {
        return error;
    }
    word number = find(map, bucket, &wanted);
    word was_there = live_version(map, bucket, number, &wanted);
    if (number < map->slots) {
        word sequence = begin(bucket, number);
        store(slot_at(map, bucket, number) + AT_ENTRY_VERSION, 0);
        end(bucket, sequence);
    }
    disown(bucket);
    return was_there != 0 ? WEIR_PINNED_OK : WEIR_PINNED_NOENT;
}
