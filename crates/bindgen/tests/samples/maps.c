#include <assert.h>
#undef NDEBUG

/* A host of three entries. */
static struct { uint8_t key[16], value[64]; size_t key_size, size; uint64_t version; } entries[3];

int32_t wasi_map_open(const uint8_t *name, size_t size, int64_t rights, uint32_t *handle) {
  (void)name; (void)rights;
  *handle = (uint32_t)size;
  return 0;
}
int32_t wasi_map_close(uint32_t handle) { return handle ? 0 : 8; }
static int find(const uint8_t *key, size_t size) {
  for (int i = 0; i < 3; i++)
    if (entries[i].version && entries[i].key_size == size && memcmp(entries[i].key, key, size) == 0) return i;
  return -1;
}
int32_t wasi_map_get(uint32_t h, const uint8_t *key, size_t ks, uint8_t *room, size_t rs, size_t *size, uint64_t *version) {
  int i = find(key, ks);
  (void)h;
  if (i < 0) return 44;
  *size = entries[i].size;
  *version = entries[i].version;
  if (rs < *size) return 61;
  memcpy(room, entries[i].value, *size);
  return 0;
}
int32_t wasi_map_set(uint32_t h, const uint8_t *key, size_t ks, const uint8_t *value, size_t size) {
  int i = find(key, ks);
  (void)h;
  for (int j = 0; i < 0 && j < 3; j++) if (!entries[j].version) i = j;
  memcpy(entries[i].key, key, ks);
  memcpy(entries[i].value, value, size);
  entries[i].key_size = ks;
  entries[i].size = size;
  entries[i].version += 1;
  return 0;
}
int32_t wasi_map_scan(uint32_t h, const uint8_t *p, size_t ps, uint8_t *cursor, uint8_t *room, size_t rs, size_t *used) {
  uint32_t sizes[2];
  int i = cursor[0];
  (void)h; (void)p; (void)ps; (void)rs;
  sizes[0] = (uint32_t)entries[i].key_size;
  sizes[1] = (uint32_t)entries[i].size;
  memcpy(room, sizes, 8);
  memcpy(room + 8, &entries[i].version, 8);
  memcpy(room + 16, entries[i].key, sizes[0]);
  memcpy(room + 16 + sizes[0], entries[i].value, sizes[1]);
  *used = (16 + sizes[0] + sizes[1] + 7) / 8 * 8;
  cursor[0] = (uint8_t)(i == 1 ? 0 : i + 1);
  return 0;
}

static int maps(void) {
  demo_map_users users;
  demo_map_shapes shapes;
  demo_map_packets packets;
  weir_arena arena = {0};
  demo_user ann, found;
  demo_shape shape;
  demo_data_packet packet, passed;
  weir_scan scan;
  uint64_t version;
  int32_t key;
  assert(demo_map_users_open(WEIR_READ | WEIR_WRITE, &users) == 0 && users.handle == 5);
  demo_user_init(&ann);
  ann.name = weir_text("Ann");
  ann.id = -7;
  assert(demo_map_users_get(users, weir_text("ann"), &arena, &found, &version) == WEIR_NOENT);
  assert(demo_map_users_set(users, weir_text("ann"), &ann) == 0);
  assert(demo_map_users_get(users, weir_text("ann"), &arena, &found, &version) == 0);
  assert(weir_equal(found.name, ann.name) && found.id == -7 && version == 1);
  memset(entries, 0, sizeof entries);
  shapes.handle = 1;
  demo_shape_init(&shape);
  assert(shape.which == DEMO_SHAPE_NOTHING);
  shape.which = DEMO_SHAPE_CIRCLE;
  shape.as.circle = 0.5f;
  assert(demo_map_shapes_set(shapes, -1, &shape) == 0 && demo_map_shapes_set(shapes, 1, &shape) == 0);
  scan = demo_map_shapes_scan(shapes, weir_text(""), &arena);
  assert(demo_map_shapes_next(&scan, &key, &shape, &version) == 0 && key == -1 && shape.as.circle == 0.5f);
  assert(demo_map_shapes_next(&scan, &key, &shape, &version) == 0 && key == 1);
  assert(demo_map_shapes_next(&scan, &key, &shape, &version) == WEIR_NOENT);
  assert(memcmp(entries[0].key, "\x7f\xff\xff\xff", 4) == 0);
  memset(entries, 0, sizeof entries);
  packets.handle = 1;
  memset(&packet, 0xff, sizeof packet);
  packet.id = 7;
  packet.value = 0.5;
  assert(demo_map_packets_set(packets, 1, &packet) == 0);
  assert(entries[0].size == 16 && memcmp(entries[0].value, "\7\0\0\0\0\0\0\0\0\0\0\0\0\0\xe0\x3f", 16) == 0);
  assert(demo_map_packets_get(packets, 1, &arena, &passed, &version) == 0 && passed.id == 7 && passed.value == 0.5);
  weir_free(&arena);
  return 0;
}
