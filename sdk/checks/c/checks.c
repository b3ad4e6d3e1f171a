/* Calls every function of wasi_map.h against a real host.
 *
 * The host grants "shared" with all rights, empty, and "readable" with one entry, host = hello, to
 * read it only; "shared" is the default map too, and the module's use is called "checks". Each
 * export answers 0, or the line of the expectation that did not hold; "regions" answers 58 on a host
 * without regions.
 */
#include "wasi_map.h"

#define EXPECT(what) \
  do {               \
    if (!(what)) return __LINE__; \
  } while (0)
#define OK(call) EXPECT((call) == WASI_MAP_SUCCESS)
#define TEXT(text) text, sizeof text - 1
#define CHECK(name) WASI_MAP_EXPORT(#name) int32_t name(void)

/* For get_alloc: memory that is never given back. */
static unsigned char arena[1 << 18];
static size_t arena_used;

WASI_MAP_EXPORT("wasi_map_alloc") void *wasi_map_alloc(size_t len) {
  if (len > sizeof arena - arena_used) return NULL;
  arena_used += len;
  return arena + arena_used - len;
}

static int equal(const void *one, const char *other, size_t len) {
  const unsigned char *a = one, *b = (const unsigned char *)other;
  for (size_t i = 0; i < len; i++) {
    if (a[i] != b[i]) return 0;
  }
  return 1;
}

static void fill(void *to, int byte, size_t len) {
  volatile unsigned char *bytes = to;
  for (size_t i = 0; i < len; i++) bytes[i] = (unsigned char)byte;
}

static int32_t shared(wasi_map_handle *map) {
  OK(wasi_map_open(TEXT("shared"), WASI_MAP_ALL, map));
  OK(wasi_map_clear(*map));
  return 0;
}

CHECK(entries) {
  wasi_map_handle map;
  char buf[8];
  size_t size = 99;
  uint64_t version = 0, second = 0;
  uint32_t there = 9;
  EXPECT(shared(&map) == 0);
  OK(wasi_map_set(map, TEXT("key"), TEXT("value")));
  OK(wasi_map_get(map, TEXT("key"), buf, sizeof buf, &size, &version));
  EXPECT(size == 5 && equal(buf, "value", 5) && version > 0);
  fill(buf, 0, sizeof buf);
  EXPECT(wasi_map_get(map, TEXT("key"), buf, 3, &size, &version) == WASI_MAP_OVERFLOW);
  EXPECT(size == 5 && buf[0] == 0);
  void *value = NULL;
  OK(wasi_map_get_alloc(map, TEXT("key"), &value, &size, &version));
  EXPECT(value == arena && size == 5 && equal(value, "value", 5));
  OK(wasi_map_exists(map, TEXT("key"), &there));
  EXPECT(there == 1);
  OK(wasi_map_delete(map, TEXT("key")));
  EXPECT(wasi_map_delete(map, TEXT("key")) == WASI_MAP_NOENT);
  EXPECT(wasi_map_get(map, TEXT("key"), buf, sizeof buf, &size, &version) == WASI_MAP_NOENT);
  OK(wasi_map_exists(map, TEXT("key"), &there));
  EXPECT(there == 0);
  int64_t sum = 0;
  OK(wasi_map_increment(map, TEXT("count"), 42, &sum));
  OK(wasi_map_increment(map, TEXT("count"), -2, &sum));
  EXPECT(sum == 40);
  EXPECT(wasi_map_increment(map, TEXT("count"), INT64_MAX, &sum) == WASI_MAP_OVERFLOW && sum == 40);
  OK(wasi_map_compare_and_swap(map, TEXT("swapped"), 0, TEXT("1"), &version));
  EXPECT(wasi_map_compare_and_swap(map, TEXT("swapped"), 0, TEXT("2"), &second) == WASI_MAP_AGAIN);
  EXPECT(second == version);
  OK(wasi_map_compare_and_swap(map, TEXT("swapped"), version, TEXT("2"), &second));
  EXPECT(second > version);
  wasi_map_terms absent = {.flags = WASI_MAP_IF_ABSENT};
  EXPECT(wasi_map_set_with(map, TEXT("swapped"), TEXT("3"), &absent, &version) == WASI_MAP_AGAIN);
  wasi_map_terms lasting = {
      .flags = WASI_MAP_IF_VERSION | WASI_MAP_TTL, .version = second, .ttl_ms = 3600000};
  OK(wasi_map_set_with(map, TEXT("swapped"), TEXT("3"), &lasting, &version));
  EXPECT(version > second);
  lasting.ttl_ms = 0;
  EXPECT(wasi_map_set_with(map, TEXT("n"), TEXT("3"), &lasting, &version) == WASI_MAP_INVAL);
  OK(wasi_map_close(map));
  return 0;
}

CHECK(lists) {
  static _Alignas(8) unsigned char page[256];
  wasi_map_handle map;
  EXPECT(shared(&map) == 0);
  for (unsigned char i = 0; i < 100; i++) {
    unsigned char key[2] = {'a', i};
    OK(wasi_map_set(map, key, sizeof key, TEXT("some value")));
  }
  OK(wasi_map_set(map, TEXT("b"), TEXT("")));
  wasi_map_cursor cursor = {{0}};
  unsigned seen = 0, pages = 0, more = 1;
  while (more) {
    size_t used = 0, read = 0;
    OK(wasi_map_scan(map, TEXT("a"), &cursor, page, sizeof page, &used));
    EXPECT(used <= sizeof page);
    while (read < used) {
      const wasi_map_item *item = (const void *)(page + read);
      EXPECT(item->key_len == 2 && item->value_len == 10 && item->version > 0);
      EXPECT(page[read + sizeof *item] == 'a' && page[read + sizeof *item + 1] == seen);
      EXPECT(equal(page + read + sizeof *item + 2, "some value", 10));
      read += wasi_map_packed_len(item->key_len, item->value_len);
      seen++;
    }
    more = 0;
    for (size_t i = 0; i < sizeof cursor; i++) more |= cursor.bytes[i];
    pages++;
  }
  EXPECT(seen == 100 && pages > 10);
  size_t needed = 0;
  EXPECT(wasi_map_scan(map, TEXT("a"), &cursor, page, 16, &needed) == WASI_MAP_OVERFLOW);
  EXPECT(needed == wasi_map_packed_len(2, 10));
  fill(&cursor, 7, sizeof cursor);
  EXPECT(wasi_map_scan(map, TEXT("a"), &cursor, page, sizeof page, &needed) == WASI_MAP_STALE);
  static wasi_map_op ops[] = {
      {.kind = WASI_MAP_OP_CHECK, .flags = WASI_MAP_IF_ABSENT, .key = "new", .key_len = 3},
      {.kind = WASI_MAP_OP_SET, .key = "new", .key_len = 3, .value = "1", .value_len = 1},
      {.kind = WASI_MAP_OP_INCREMENT, .key = "n", .key_len = 1, .number = (uint64_t)-5},
      {.kind = WASI_MAP_OP_DELETE, .key = "b", .key_len = 1},
  };
  wasi_map_done done[4];
  OK(wasi_map_batch(map, ops, 4, done));
  EXPECT(done[0].version == 0 && done[1].version > 0);
  EXPECT(done[2].value == -5 && done[2].version > 0 && done[3].value == 1);
  EXPECT(wasi_map_batch(map, ops, 4, done) == WASI_MAP_AGAIN);
  ops[0].kind = 9;
  EXPECT(wasi_map_batch(map, ops, 4, done) == WASI_MAP_INVAL);
  OK(wasi_map_close(map));
  return 0;
}

CHECK(changes) {
  static _Alignas(8) unsigned char page[128];
  wasi_map_handle map;
  wasi_map_watch_id watch = 0;
  size_t used = 0;
  EXPECT(shared(&map) == 0);
  OK(wasi_map_watch(map, TEXT("w"), &watch));
  EXPECT(wasi_map_next(watch, 0, page, sizeof page, &used) == WASI_MAP_AGAIN);
  OK(wasi_map_set(map, TEXT("other"), TEXT("")));
  OK(wasi_map_set(map, TEXT("w1"), TEXT("")));
  OK(wasi_map_next(watch, 0, page, sizeof page, &used));
  const wasi_map_change *change = (const void *)page;
  EXPECT(used == wasi_map_packed_len(2, 0) && change->key_len == 2);
  EXPECT(change->kind == WASI_MAP_CHANGE_SET && change->version > 0);
  EXPECT(equal(page + sizeof *change, "w1", 2));
  OK(wasi_map_clear(map));
  OK(wasi_map_next(watch, 1000, page, sizeof page, &used));
  EXPECT(change->kind == WASI_MAP_CHANGE_CLEARED && change->key_len == 0);
  OK(wasi_map_unwatch(watch));
  EXPECT(wasi_map_unwatch(watch) == WASI_MAP_BADF);
  EXPECT(wasi_map_next(watch, 0, page, sizeof page, &used) == WASI_MAP_BADF);
  OK(wasi_map_close(map));
  return 0;
}

CHECK(handles) {
  wasi_map_handle map, reader, borrowed, moved;
  wasi_map_ticket ticket;
  uint64_t rights = 0;
  uint32_t there;
  EXPECT(shared(&map) == 0);
  OK(wasi_map_dup(map, WASI_MAP_READ | WASI_MAP_SHARE, &reader));
  OK(wasi_map_rights(reader, &rights));
  EXPECT(rights == (WASI_MAP_READ | WASI_MAP_SHARE));
  EXPECT(wasi_map_set(reader, TEXT("k"), TEXT("")) == WASI_MAP_NOTCAPABLE);
  EXPECT(wasi_map_dup(reader, WASI_MAP_ALL, &moved) == WASI_MAP_NOTCAPABLE);
  OK(wasi_map_lend(reader, WASI_MAP_READ, TEXT("checks"), &ticket));
  OK(wasi_map_accept(&ticket, &borrowed));
  EXPECT(wasi_map_accept(&ticket, &moved) == WASI_MAP_NOENT);
  OK(wasi_map_exists(borrowed, TEXT("k"), &there));
  OK(wasi_map_close(reader));
  EXPECT(wasi_map_exists(borrowed, TEXT("k"), &there) == WASI_MAP_STALE);
  OK(wasi_map_close(borrowed));
  OK(wasi_map_transfer(map, TEXT("checks"), &ticket));
  EXPECT(wasi_map_exists(map, TEXT("k"), &there) == WASI_MAP_BADF);
  OK(wasi_map_accept(&ticket, &moved));
  OK(wasi_map_rights(moved, &rights));
  EXPECT(rights == WASI_MAP_ALL);
  OK(wasi_map_close(moved));
  EXPECT(wasi_map_close(moved) == WASI_MAP_BADF && wasi_map_close(0) == WASI_MAP_BADF);
  return 0;
}

CHECK(references) {
  wasi_map_handle map, own, found;
  wasi_map_stat_t stat;
  EXPECT(shared(&map) == 0);
  wasi_map_options options = {.entries_max = 2, .eviction = 1};
  OK(wasi_map_create(&options, &own));
  OK(wasi_map_set(own, TEXT("in"), TEXT("side")));
  OK(wasi_map_stat(own, &stat));
  EXPECT(stat.entries == 1 && stat.bytes >= 6 && stat.flags == 2 && stat.references == 1);
  OK(wasi_map_put_map(map, TEXT("child"), own));
  OK(wasi_map_close(own));
  OK(wasi_map_get_map(map, TEXT("child"), &found));
  OK(wasi_map_delete(found, TEXT("in")));
  EXPECT(wasi_map_get_map(map, TEXT("none"), &own) == WASI_MAP_NOENT);
  options.eviction = 2;
  EXPECT(wasi_map_create(&options, &own) == WASI_MAP_INVAL);
  OK(wasi_map_create(NULL, &own));
  OK(wasi_map_stat(map, &stat));
  EXPECT(stat.entries == 1 && stat.flags == 1);
  return 0;
}

CHECK(errors) {
  static char long_name[257];
  wasi_map_handle map;
  fill(long_name, 'n', sizeof long_name);
  EXPECT(wasi_map_open(TEXT("missing"), WASI_MAP_READ, &map) == WASI_MAP_NOENT);
  EXPECT(wasi_map_open(long_name, 0, WASI_MAP_READ, &map) == WASI_MAP_INVAL);
  EXPECT(wasi_map_open(long_name, 257, WASI_MAP_READ, &map) == WASI_MAP_NAMETOOLONG);
  EXPECT(wasi_map_open(TEXT("\xff"), WASI_MAP_READ, &map) == WASI_MAP_INVAL);
  EXPECT(wasi_map_open(TEXT("readable"), WASI_MAP_WRITE, &map) == WASI_MAP_NOTCAPABLE);
  EXPECT(wasi_map_open(TEXT("shared"), 1024, &map) == WASI_MAP_INVAL);
  const char *outside = (const char *)0xfffffff0u;
  EXPECT(wasi_map_open(outside, 8, WASI_MAP_READ, &map) == WASI_MAP_FAULT);
  EXPECT(wasi_map_open(outside, 64, WASI_MAP_READ, &map) == WASI_MAP_FAULT);
  EXPECT(wasi_map_open(TEXT("shared"), WASI_MAP_READ, (uint32_t *)0xfffffffeu) == WASI_MAP_FAULT);
  OK(wasi_map_open(TEXT("readable"), WASI_MAP_READ, &map));
  EXPECT(wasi_map_set(map, TEXT("host"), TEXT("")) == WASI_MAP_NOTCAPABLE);
  EXPECT(wasi_map_set(map, outside, 8, TEXT("")) == WASI_MAP_FAULT);
  EXPECT(wasi_map_set(map + 1000, TEXT("host"), TEXT("")) == WASI_MAP_BADF);
  return 0;
}

CHECK(draft) {
  char buf[8];
  int32_t map = wasi_map_draft_open();
  EXPECT(map > 0);
  EXPECT(wasi_map_draft_set(map, TEXT("key"), TEXT("value")) == 0);
  EXPECT(wasi_map_draft_get(map, TEXT("key"), buf, sizeof buf) == 5 && equal(buf, "value", 5));
  fill(buf, 0, sizeof buf);
  EXPECT(wasi_map_draft_get(map, TEXT("key"), buf, 3) == 5 && equal(buf, "val\0", 4));
  EXPECT(wasi_map_draft_exists(map, TEXT("key")) == 1);
  EXPECT(wasi_map_draft_delete(map, TEXT("key")) == 0);
  EXPECT(wasi_map_draft_exists(map, TEXT("key")) == 0);
  EXPECT(wasi_map_draft_get(map, TEXT("key"), buf, sizeof buf) == -WASI_MAP_NOENT);
  EXPECT(wasi_map_draft_exists(0, TEXT("key")) == -WASI_MAP_BADF);
  return 0;
}

CHECK(regions) {
  wasi_map_handle map;
  void *address = NULL;
  EXPECT(shared(&map) == 0);
  int32_t made = wasi_map_region_create(map, TEXT("region"), 100000);
  if (made == WASI_MAP_NOTSUP) return made;
  OK(made);
  int32_t mapped = wasi_map_region_map(map, TEXT("region"), 0, 100000,
                                       WASI_MAP_PROT_READ | WASI_MAP_PROT_WRITE, &address);
  if (mapped == WASI_MAP_NOTSUP) return mapped;
  OK(mapped);
  unsigned char *bytes = address;
  EXPECT(((uintptr_t)bytes & 65535) == 0 && bytes[0] == 0 && bytes[99999] == 0);
  bytes[99999] = 7;
  OK(wasi_map_region_unmap(address, 100000));
  EXPECT(bytes[99999] == 0);
  OK(wasi_map_region_map(map, TEXT("region"), 0, 100000, WASI_MAP_PROT_READ, &address));
  bytes = address;
  EXPECT(bytes[99999] == 7);
  OK(wasi_map_region_unmap(address, 100000));
  EXPECT(wasi_map_region_map(map, TEXT("none"), 0, 1, WASI_MAP_PROT_READ, &address) == WASI_MAP_NOENT);
  return 0;
}
