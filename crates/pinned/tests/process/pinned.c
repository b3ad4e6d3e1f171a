/* What the tests run of the C library: pinned PATH do ARGUMENTS… */
#include "weir_pinned.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define VALUE_MAX 4096

static int fail(const char *what, int error) {
    fprintf(stderr, "%s: %d\n", what, error);
    return 1;
}

/* Prints a value, as text. */
static int get(weir_pinned *map, const char *key) {
    char value[VALUE_MAX];
    weir_pinned_entry entry;
    int error = weir_pinned_get(map, key, strlen(key), value, sizeof value, &entry);
    if (error != WEIR_PINNED_OK) {
        printf("error %d\n", error);
        return 0;
    }
    printf("%.*s %" PRIu64 " %s\n", (int)entry.value_len, value, entry.version,
           entry.ends_ms == WEIR_PINNED_NEVER ? "stays" : "ends");
    return 0;
}

static int set(weir_pinned *map, char **arguments) {
    uint64_t version = strtoull(arguments[4], NULL, 10);
    weir_pinned_condition condition = (weir_pinned_condition)atoi(arguments[3]);
    int error = weir_pinned_set(map, arguments[0], strlen(arguments[0]), arguments[1],
                                strlen(arguments[1]), strtoull(arguments[2], NULL, 10), condition,
                                &version);
    printf("%d %" PRIu64 "\n", error, version);
    return 0;
}

/* Adds one so many times. */
static int add(weir_pinned *map, const char *key, long times) {
    int64_t sum = 0;
    while (times > 0) {
        int error = weir_pinned_add(map, key, strlen(key), 1, &sum);
        if (error == WEIR_PINNED_OK) {
            times--;
        } else if (error != WEIR_PINNED_BUSY) {
            return fail("add", error);
        }
    }
    printf("%" PRId64 "\n", sum);
    return 0;
}

static uint64_t next(uint64_t *seed) {
    return *seed = *seed * 6364136223846793005u + 1442695040888963407u;
}

/* Writes until it is killed, what writer.rs writes. */
static int fill(weir_pinned *map, unsigned keys, uint64_t seed) {
    uint64_t value[256];
    puts("writing");
    fflush(stdout);
    for (;;) {
        char key[32];
        int length = snprintf(key, sizeof key, "key-%u", (unsigned)((next(&seed) >> 33) % keys));
        uint64_t word = seed | 1;
        size_t words = (word >> 40 & 255) + 1;
        for (size_t at = 0; at < words; at++) {
            value[at] = word;
        }
        int error = weir_pinned_set(map, key, (size_t)length, value, words * 8, 0,
                                    WEIR_PINNED_ALWAYS, NULL);
        if (error != WEIR_PINNED_OK && error != WEIR_PINNED_BUSY) {
            return fail("set", error);
        }
    }
}

/* Reads for some seconds and looks for torn values. */
static int look(weir_pinned *map, unsigned keys, long seconds) {
    time_t end = time(NULL) + seconds;
    unsigned long found = 0;
    while (time(NULL) < end) {
        for (unsigned number = 0; number < keys; number++) {
            uint64_t value[VALUE_MAX / 8];
            weir_pinned_entry entry;
            char key[32];
            int length = snprintf(key, sizeof key, "key-%u", number);
            int error =
                weir_pinned_get(map, key, (size_t)length, value, sizeof value, &entry);
            if (error == WEIR_PINNED_NOENT || error == WEIR_PINNED_BUSY) {
                continue;
            }
            if (error != WEIR_PINNED_OK) {
                return fail("get", error);
            }
            size_t words = entry.value_len / 8;
            int is_torn = entry.value_len % 8 != 0 || words != (value[0] >> 40 & 255) + 1;
            for (size_t at = 0; at < words; at++) {
                is_torn |= value[at] != value[0];
            }
            if (is_torn) {
                return fail("torn", (int)number);
            }
            found++;
        }
    }
    printf("%lu\n", found);
    return 0;
}

int main(int count, char **arguments) {
    if (count < 4) {
        return fail("arguments", count);
    }
    const char *task = arguments[2];
    int writes = strcmp(task, "get") != 0 && strcmp(task, "look") != 0;
    weir_pinned *map = NULL;
    int error = weir_pinned_open(arguments[1], writes, &map);
    if (error != WEIR_PINNED_OK) {
        printf("open %d\n", error);
        return 0;
    }
    int result = 1;
    if (strcmp(task, "get") == 0) {
        result = get(map, arguments[3]);
    } else if (strcmp(task, "set") == 0 && count == 8) {
        result = set(map, arguments + 3);
    } else if (strcmp(task, "add") == 0 && count == 5) {
        result = add(map, arguments[3], atol(arguments[4]));
    } else if (strcmp(task, "delete") == 0) {
        printf("%d\n", weir_pinned_delete(map, arguments[3], strlen(arguments[3])));
        result = 0;
    } else if (strcmp(task, "fill") == 0 && count == 5) {
        result = fill(map, (unsigned)atoi(arguments[3]), strtoull(arguments[4], NULL, 10));
    } else if (strcmp(task, "look") == 0 && count == 5) {
        result = look(map, (unsigned)atoi(arguments[3]), atol(arguments[4]));
    }
    weir_pinned_close(map);
    return result;
}
