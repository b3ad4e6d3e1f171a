/* Written by `weir bindgen`; do not edit. */
#ifndef WEIR_DEMO_H
#define WEIR_DEMO_H

#include "weir_map.h"

#ifdef __cplusplus
extern "C" {
#endif

// Who somebody is.
typedef struct demo_user {
  // What they are called.
  weir_bytes name;
  int32_t id;
  weir_bytes unknown; // fields that a newer schema has
} demo_user;
static const weir_field demo_user_fields[] = {
  {1, WEIR_text_, WEIR_PLAIN, sizeof(weir_bytes), offsetof(demo_user, name), 0, NULL},
  {2, WEIR_s32, WEIR_PLAIN, sizeof(int32_t), offsetof(demo_user, id), 0, NULL},
};
static const weir_type demo_user_type = {sizeof(demo_user), demo_user_fields, 2, offsetof(demo_user, unknown), WEIR_NONE};
static inline void demo_user_init(demo_user *value) { weir_init(&demo_user_type, value); }
static inline int demo_user_decode(weir_bytes bytes, weir_arena *arena, demo_user *value) { return weir_decode(&demo_user_type, bytes, arena, value); }
static inline void demo_user_encode(const demo_user *value, weir_writer *w) { weir_write(&demo_user_type, value, w); }

typedef int32_t demo_colour;
#define DEMO_COLOUR_RED (0)
#define DEMO_COLOUR_GREEN (1)
#define DEMO_COLOUR_BLUE (7)

typedef uint64_t demo_rights;
#define DEMO_RIGHTS_READ (UINT64_C(1) << 0)
#define DEMO_RIGHTS_WRITE (UINT64_C(1) << 1)
#define DEMO_RIGHTS_ADMIN (UINT64_C(1) << 40)

typedef struct demo_point {
  double x;
  double y;
  weir_bytes unknown; // fields that a newer schema has
} demo_point;
static const weir_field demo_point_fields[] = {
  {1, WEIR_f64, WEIR_PLAIN, sizeof(double), offsetof(demo_point, x), 0, NULL},
  {2, WEIR_f64, WEIR_PLAIN, sizeof(double), offsetof(demo_point, y), 0, NULL},
};
static const weir_type demo_point_type = {sizeof(demo_point), demo_point_fields, 2, offsetof(demo_point, unknown), WEIR_NONE};
static inline void demo_point_init(demo_point *value) { weir_init(&demo_point_type, value); }
static inline int demo_point_decode(weir_bytes bytes, weir_arena *arena, demo_point *value) { return weir_decode(&demo_point_type, bytes, arena, value); }
static inline void demo_point_encode(const demo_point *value, weir_writer *w) { weir_write(&demo_point_type, value, w); }

typedef struct demo_shape_polygon_items {
  demo_point *items;
  size_t items_count;
  weir_bytes unknown; // fields that a newer schema has
} demo_shape_polygon_items;
static const weir_field demo_shape_polygon_items_fields[] = {
  {1, WEIR_message, WEIR_REPEATED, sizeof(demo_point), offsetof(demo_shape_polygon_items, items), offsetof(demo_shape_polygon_items, items_count), &demo_point_type},
};
static const weir_type demo_shape_polygon_items_type = {sizeof(demo_shape_polygon_items), demo_shape_polygon_items_fields, 1, offsetof(demo_shape_polygon_items, unknown), WEIR_NONE};
static inline void demo_shape_polygon_items_init(demo_shape_polygon_items *value) { weir_init(&demo_shape_polygon_items_type, value); }
static inline int demo_shape_polygon_items_decode(weir_bytes bytes, weir_arena *arena, demo_shape_polygon_items *value) { return weir_decode(&demo_shape_polygon_items_type, bytes, arena, value); }
static inline void demo_shape_polygon_items_encode(const demo_shape_polygon_items *value, weir_writer *w) { weir_write(&demo_shape_polygon_items_type, value, w); }

typedef struct demo_shape {
  uint32_t which; // 0: a case that a newer schema has, in `unknown`
  union {
    char none;
    float circle;
    demo_shape_polygon_items polygon;
    weir_bytes label;
    demo_user owner;
  } as;
  weir_bytes unknown;
} demo_shape;
#define DEMO_SHAPE_NOTHING 1u
#define DEMO_SHAPE_CIRCLE 2u
#define DEMO_SHAPE_POLYGON 3u
#define DEMO_SHAPE_LABEL 4u
#define DEMO_SHAPE_OWNER 5u
static const weir_field demo_shape_fields[] = {
  {1, WEIR_bool, WEIR_CASE, 0, offsetof(demo_shape, as), 0, NULL},
  {2, WEIR_f32, WEIR_CASE, sizeof(float), offsetof(demo_shape, as.circle), 0, NULL},
  {3, WEIR_message, WEIR_CASE, sizeof(demo_shape_polygon_items), offsetof(demo_shape, as.polygon), 0, &demo_shape_polygon_items_type},
  {4, WEIR_text_, WEIR_CASE, sizeof(weir_bytes), offsetof(demo_shape, as.label), 0, NULL},
  {5, WEIR_message, WEIR_CASE, sizeof(demo_user), offsetof(demo_shape, as.owner), 0, &demo_user_type},
};
static const weir_type demo_shape_type = {sizeof(demo_shape), demo_shape_fields, 5, offsetof(demo_shape, unknown), offsetof(demo_shape, which)};
static inline void demo_shape_init(demo_shape *value) { weir_init(&demo_shape_type, value); }
static inline int demo_shape_decode(weir_bytes bytes, weir_arena *arena, demo_shape *value) { return weir_decode(&demo_shape_type, bytes, arena, value); }
static inline void demo_shape_encode(const demo_shape *value, weir_writer *w) { weir_write(&demo_shape_type, value, w); }

typedef struct demo_sample_maybe_list_items {
  uint32_t *items;
  size_t items_count;
  weir_bytes unknown; // fields that a newer schema has
} demo_sample_maybe_list_items;
static const weir_field demo_sample_maybe_list_items_fields[] = {
  {1, WEIR_u32, WEIR_REPEATED, sizeof(uint32_t), offsetof(demo_sample_maybe_list_items, items), offsetof(demo_sample_maybe_list_items, items_count), NULL},
};
static const weir_type demo_sample_maybe_list_items_type = {sizeof(demo_sample_maybe_list_items), demo_sample_maybe_list_items_fields, 1, offsetof(demo_sample_maybe_list_items, unknown), WEIR_NONE};
static inline void demo_sample_maybe_list_items_init(demo_sample_maybe_list_items *value) { weir_init(&demo_sample_maybe_list_items_type, value); }
static inline int demo_sample_maybe_list_items_decode(weir_bytes bytes, weir_arena *arena, demo_sample_maybe_list_items *value) { return weir_decode(&demo_sample_maybe_list_items_type, bytes, arena, value); }
static inline void demo_sample_maybe_list_items_encode(const demo_sample_maybe_list_items *value, weir_writer *w) { weir_write(&demo_sample_maybe_list_items_type, value, w); }

typedef struct demo_sample_grid_items {
  uint32_t *items;
  size_t items_count;
  weir_bytes unknown; // fields that a newer schema has
} demo_sample_grid_items;
static const weir_field demo_sample_grid_items_fields[] = {
  {1, WEIR_u32, WEIR_REPEATED, sizeof(uint32_t), offsetof(demo_sample_grid_items, items), offsetof(demo_sample_grid_items, items_count), NULL},
};
static const weir_type demo_sample_grid_items_type = {sizeof(demo_sample_grid_items), demo_sample_grid_items_fields, 1, offsetof(demo_sample_grid_items, unknown), WEIR_NONE};
static inline void demo_sample_grid_items_init(demo_sample_grid_items *value) { weir_init(&demo_sample_grid_items_type, value); }
static inline int demo_sample_grid_items_decode(weir_bytes bytes, weir_arena *arena, demo_sample_grid_items *value) { return weir_decode(&demo_sample_grid_items_type, bytes, arena, value); }
static inline void demo_sample_grid_items_encode(const demo_sample_grid_items *value, weir_writer *w) { weir_write(&demo_sample_grid_items_type, value, w); }

typedef struct demo_sample_pair {
  uint32_t f0;
  weir_bytes f1;
  weir_bytes unknown; // fields that a newer schema has
} demo_sample_pair;
static const weir_field demo_sample_pair_fields[] = {
  {1, WEIR_u32, WEIR_PLAIN, sizeof(uint32_t), offsetof(demo_sample_pair, f0), 0, NULL},
  {2, WEIR_text_, WEIR_PLAIN, sizeof(weir_bytes), offsetof(demo_sample_pair, f1), 0, NULL},
};
static const weir_type demo_sample_pair_type = {sizeof(demo_sample_pair), demo_sample_pair_fields, 2, offsetof(demo_sample_pair, unknown), WEIR_NONE};
static inline void demo_sample_pair_init(demo_sample_pair *value) { weir_init(&demo_sample_pair_type, value); }
static inline int demo_sample_pair_decode(weir_bytes bytes, weir_arena *arena, demo_sample_pair *value) { return weir_decode(&demo_sample_pair_type, bytes, arena, value); }
static inline void demo_sample_pair_encode(const demo_sample_pair *value, weir_writer *w) { weir_write(&demo_sample_pair_type, value, w); }

typedef struct demo_sample_outcome {
  uint32_t which; // 0: a case that a newer schema has, in `unknown`
  union {
    char none;
    uint32_t ok;
    weir_bytes err;
  } as;
  weir_bytes unknown;
} demo_sample_outcome;
#define DEMO_SAMPLE_OUTCOME_OK 1u
#define DEMO_SAMPLE_OUTCOME_ERR 2u
static const weir_field demo_sample_outcome_fields[] = {
  {1, WEIR_u32, WEIR_CASE, sizeof(uint32_t), offsetof(demo_sample_outcome, as.ok), 0, NULL},
  {2, WEIR_text_, WEIR_CASE, sizeof(weir_bytes), offsetof(demo_sample_outcome, as.err), 0, NULL},
};
static const weir_type demo_sample_outcome_type = {sizeof(demo_sample_outcome), demo_sample_outcome_fields, 2, offsetof(demo_sample_outcome, unknown), offsetof(demo_sample_outcome, which)};
static inline void demo_sample_outcome_init(demo_sample_outcome *value) { weir_init(&demo_sample_outcome_type, value); }
static inline int demo_sample_outcome_decode(weir_bytes bytes, weir_arena *arena, demo_sample_outcome *value) { return weir_decode(&demo_sample_outcome_type, bytes, arena, value); }
static inline void demo_sample_outcome_encode(const demo_sample_outcome *value, weir_writer *w) { weir_write(&demo_sample_outcome_type, value, w); }

typedef struct demo_sample_done {
  uint32_t which; // 0: a case that a newer schema has, in `unknown`
  union {
    char none;
  } as;
  weir_bytes unknown;
} demo_sample_done;
#define DEMO_SAMPLE_DONE_OK 1u
#define DEMO_SAMPLE_DONE_ERR 2u
static const weir_field demo_sample_done_fields[] = {
  {1, WEIR_bool, WEIR_CASE, 0, offsetof(demo_sample_done, as), 0, NULL},
  {2, WEIR_bool, WEIR_CASE, 0, offsetof(demo_sample_done, as), 0, NULL},
};
static const weir_type demo_sample_done_type = {sizeof(demo_sample_done), demo_sample_done_fields, 2, offsetof(demo_sample_done, unknown), offsetof(demo_sample_done, which)};
static inline void demo_sample_done_init(demo_sample_done *value) { weir_init(&demo_sample_done_type, value); }
static inline int demo_sample_done_decode(weir_bytes bytes, weir_arena *arena, demo_sample_done *value) { return weir_decode(&demo_sample_done_type, bytes, arena, value); }
static inline void demo_sample_done_encode(const demo_sample_done *value, weir_writer *w) { weir_write(&demo_sample_done_type, value, w); }

// A value with a field of every type.
typedef struct demo_sample {
  bool flag;
  int8_t tiny;
  int16_t small;
  int32_t medium;
  int64_t big;
  uint8_t utiny;
  uint16_t usmall;
  uint32_t umedium;
  uint64_t ubig;
  float single;
  double double_;
  uint32_t letter;
  weir_bytes text;
  weir_bytes raw;
  demo_colour colour;
  demo_rights rights;
  demo_user user;
  demo_shape shape;
  bool has_maybe_number;
  uint32_t maybe_number;
  bool has_maybe_text;
  weir_bytes maybe_text;
  bool has_maybe_user;
  demo_user maybe_user;
  bool has_maybe_list;
  demo_sample_maybe_list_items maybe_list;
  int64_t *numbers;
  size_t numbers_count;
  double *ratios;
  size_t ratios_count;
  demo_colour *colours;
  size_t colours_count;
  weir_bytes *texts;
  size_t texts_count;
  demo_user *users;
  size_t users_count;
  demo_shape *shapes;
  size_t shapes_count;
  demo_sample_grid_items *grid;
  size_t grid_count;
  demo_sample_pair pair;
  demo_sample_outcome outcome;
  demo_sample_done done;
  // Given later.
  weir_bytes type;
  weir_bytes unknown; // fields that a newer schema has
} demo_sample;
static const weir_field demo_sample_fields[] = {
  {1, WEIR_bool, WEIR_PLAIN, sizeof(bool), offsetof(demo_sample, flag), 0, NULL},
  {2, WEIR_s8, WEIR_PLAIN, sizeof(int8_t), offsetof(demo_sample, tiny), 0, NULL},
  {3, WEIR_s16, WEIR_PLAIN, sizeof(int16_t), offsetof(demo_sample, small), 0, NULL},
  {4, WEIR_s32, WEIR_PLAIN, sizeof(int32_t), offsetof(demo_sample, medium), 0, NULL},
  {5, WEIR_s64, WEIR_PLAIN, sizeof(int64_t), offsetof(demo_sample, big), 0, NULL},
  {6, WEIR_u8, WEIR_PLAIN, sizeof(uint8_t), offsetof(demo_sample, utiny), 0, NULL},
  {7, WEIR_u16, WEIR_PLAIN, sizeof(uint16_t), offsetof(demo_sample, usmall), 0, NULL},
  {8, WEIR_u32, WEIR_PLAIN, sizeof(uint32_t), offsetof(demo_sample, umedium), 0, NULL},
  {9, WEIR_u64, WEIR_PLAIN, sizeof(uint64_t), offsetof(demo_sample, ubig), 0, NULL},
  {10, WEIR_f32, WEIR_PLAIN, sizeof(float), offsetof(demo_sample, single), 0, NULL},
  {11, WEIR_f64, WEIR_PLAIN, sizeof(double), offsetof(demo_sample, double_), 0, NULL},
  {12, WEIR_char, WEIR_PLAIN, sizeof(uint32_t), offsetof(demo_sample, letter), 0, NULL},
  {13, WEIR_text_, WEIR_PLAIN, sizeof(weir_bytes), offsetof(demo_sample, text), 0, NULL},
  {14, WEIR_bytes_, WEIR_PLAIN, sizeof(weir_bytes), offsetof(demo_sample, raw), 0, NULL},
  {15, WEIR_i32, WEIR_PLAIN, sizeof(demo_colour), offsetof(demo_sample, colour), 0, NULL},
  {16, WEIR_u64, WEIR_PLAIN, sizeof(demo_rights), offsetof(demo_sample, rights), 0, NULL},
  {17, WEIR_message, WEIR_PLAIN, sizeof(demo_user), offsetof(demo_sample, user), 0, &demo_user_type},
  {18, WEIR_message, WEIR_PLAIN, sizeof(demo_shape), offsetof(demo_sample, shape), 0, &demo_shape_type},
  {19, WEIR_u32, WEIR_OPTIONAL, sizeof(uint32_t), offsetof(demo_sample, maybe_number), offsetof(demo_sample, has_maybe_number), NULL},
  {20, WEIR_text_, WEIR_OPTIONAL, sizeof(weir_bytes), offsetof(demo_sample, maybe_text), offsetof(demo_sample, has_maybe_text), NULL},
  {21, WEIR_message, WEIR_OPTIONAL, sizeof(demo_user), offsetof(demo_sample, maybe_user), offsetof(demo_sample, has_maybe_user), &demo_user_type},
  {22, WEIR_message, WEIR_OPTIONAL, sizeof(demo_sample_maybe_list_items), offsetof(demo_sample, maybe_list), offsetof(demo_sample, has_maybe_list), &demo_sample_maybe_list_items_type},
  {23, WEIR_s64, WEIR_REPEATED, sizeof(int64_t), offsetof(demo_sample, numbers), offsetof(demo_sample, numbers_count), NULL},
  {24, WEIR_f64, WEIR_REPEATED, sizeof(double), offsetof(demo_sample, ratios), offsetof(demo_sample, ratios_count), NULL},
  {25, WEIR_i32, WEIR_REPEATED, sizeof(demo_colour), offsetof(demo_sample, colours), offsetof(demo_sample, colours_count), NULL},
  {26, WEIR_text_, WEIR_REPEATED, sizeof(weir_bytes), offsetof(demo_sample, texts), offsetof(demo_sample, texts_count), NULL},
  {27, WEIR_message, WEIR_REPEATED, sizeof(demo_user), offsetof(demo_sample, users), offsetof(demo_sample, users_count), &demo_user_type},
  {28, WEIR_message, WEIR_REPEATED, sizeof(demo_shape), offsetof(demo_sample, shapes), offsetof(demo_sample, shapes_count), &demo_shape_type},
  {29, WEIR_message, WEIR_REPEATED, sizeof(demo_sample_grid_items), offsetof(demo_sample, grid), offsetof(demo_sample, grid_count), &demo_sample_grid_items_type},
  {30, WEIR_message, WEIR_PLAIN, sizeof(demo_sample_pair), offsetof(demo_sample, pair), 0, &demo_sample_pair_type},
  {31, WEIR_message, WEIR_PLAIN, sizeof(demo_sample_outcome), offsetof(demo_sample, outcome), 0, &demo_sample_outcome_type},
  {32, WEIR_message, WEIR_PLAIN, sizeof(demo_sample_done), offsetof(demo_sample, done), 0, &demo_sample_done_type},
  {100, WEIR_text_, WEIR_PLAIN, sizeof(weir_bytes), offsetof(demo_sample, type), 0, NULL},
};
static const weir_type demo_sample_type = {sizeof(demo_sample), demo_sample_fields, 33, offsetof(demo_sample, unknown), WEIR_NONE};
static inline void demo_sample_init(demo_sample *value) { weir_init(&demo_sample_type, value); }
static inline int demo_sample_decode(weir_bytes bytes, weir_arena *arena, demo_sample *value) { return weir_decode(&demo_sample_type, bytes, arena, value); }
static inline void demo_sample_encode(const demo_sample *value, weir_writer *w) { weir_write(&demo_sample_type, value, w); }

// Passed between languages byte for byte.
typedef struct demo_data_packet {
  uint32_t id;
  double value;
} demo_data_packet;
static const weir_field demo_data_packet_fields[] = {
  {1, WEIR_u32, WEIR_PLAIN, sizeof(uint32_t), offsetof(demo_data_packet, id), 0, NULL},
  {2, WEIR_f64, WEIR_PLAIN, sizeof(double), offsetof(demo_data_packet, value), 0, NULL},
};
static const weir_type demo_data_packet_type = {sizeof(demo_data_packet), demo_data_packet_fields, 2, WEIR_NONE, WEIR_NONE};
static inline void demo_data_packet_init(demo_data_packet *value) { weir_init(&demo_data_packet_type, value); }
static inline int demo_data_packet_decode(weir_bytes bytes, weir_arena *arena, demo_data_packet *value) { return weir_decode(&demo_data_packet_type, bytes, arena, value); }
static inline void demo_data_packet_encode(const demo_data_packet *value, weir_writer *w) { weir_write(&demo_data_packet_type, value, w); }
typedef char demo_data_packet_is_laid_out_16202[(sizeof(demo_data_packet) == 16) ? 1 : -1];
typedef char demo_data_packet_is_laid_out_16294[(offsetof(demo_data_packet, id) == 0) ? 1 : -1];
typedef char demo_data_packet_is_laid_out_16391[(offsetof(demo_data_packet, value) == 8) ? 1 : -1];

// A record in a record, with padding in between.
typedef struct demo_frame {
  uint8_t kind;
  demo_data_packet packet;
  demo_colour colour;
  bool last;
  int16_t delta;
} demo_frame;
static const weir_field demo_frame_fields[] = {
  {1, WEIR_u8, WEIR_PLAIN, sizeof(uint8_t), offsetof(demo_frame, kind), 0, NULL},
  {2, WEIR_message, WEIR_PLAIN, sizeof(demo_data_packet), offsetof(demo_frame, packet), 0, &demo_data_packet_type},
  {3, WEIR_i32, WEIR_PLAIN, sizeof(demo_colour), offsetof(demo_frame, colour), 0, NULL},
  {4, WEIR_bool, WEIR_PLAIN, sizeof(bool), offsetof(demo_frame, last), 0, NULL},
  {5, WEIR_s16, WEIR_PLAIN, sizeof(int16_t), offsetof(demo_frame, delta), 0, NULL},
};
static const weir_type demo_frame_type = {sizeof(demo_frame), demo_frame_fields, 5, WEIR_NONE, WEIR_NONE};
static inline void demo_frame_init(demo_frame *value) { weir_init(&demo_frame_type, value); }
static inline int demo_frame_decode(weir_bytes bytes, weir_arena *arena, demo_frame *value) { return weir_decode(&demo_frame_type, bytes, arena, value); }
static inline void demo_frame_encode(const demo_frame *value, weir_writer *w) { weir_write(&demo_frame_type, value, w); }
typedef char demo_frame_is_laid_out_17660[(sizeof(demo_frame) == 32) ? 1 : -1];
typedef char demo_frame_is_laid_out_17740[(offsetof(demo_frame, kind) == 0) ? 1 : -1];
typedef char demo_frame_is_laid_out_17827[(offsetof(demo_frame, packet) == 8) ? 1 : -1];
typedef char demo_frame_is_laid_out_17916[(offsetof(demo_frame, colour) == 24) ? 1 : -1];
typedef char demo_frame_is_laid_out_18006[(offsetof(demo_frame, last) == 28) ? 1 : -1];
typedef char demo_frame_is_laid_out_18094[(offsetof(demo_frame, delta) == 30) ? 1 : -1];

typedef struct demo_lists_items {
  uint32_t *items;
  size_t items_count;
  weir_bytes unknown; // fields that a newer schema has
} demo_lists_items;
static const weir_field demo_lists_items_fields[] = {
  {1, WEIR_u32, WEIR_REPEATED, sizeof(uint32_t), offsetof(demo_lists_items, items), offsetof(demo_lists_items, items_count), NULL},
};
static const weir_type demo_lists_items_type = {sizeof(demo_lists_items), demo_lists_items_fields, 1, offsetof(demo_lists_items, unknown), WEIR_NONE};
static inline void demo_lists_items_init(demo_lists_items *value) { weir_init(&demo_lists_items_type, value); }
static inline int demo_lists_items_decode(weir_bytes bytes, weir_arena *arena, demo_lists_items *value) { return weir_decode(&demo_lists_items_type, bytes, arena, value); }
static inline void demo_lists_items_encode(const demo_lists_items *value, weir_writer *w) { weir_write(&demo_lists_items_type, value, w); }

// The map `users`.
// Everybody.
#define DEMO_MAP_USERS_SCHEMA UINT64_C(0x065edcd93956cb6b)
typedef struct demo_map_users { uint32_t handle; } demo_map_users;
static inline int demo_map_users_open(int64_t rights, demo_map_users *map) { return wasi_map_open((const uint8_t *)"users", 5, rights, &map->handle); }
static inline int demo_map_users_close(demo_map_users map) { return wasi_map_close(map.handle); }
static inline weir_bytes demo_map_users_key(weir_bytes key, uint8_t *room) { (void)room; return key; }
static inline int demo_map_users_from_key(weir_bytes bytes, weir_bytes *key) { if (!weir_is_utf8(bytes)) return WEIR_UTF8; *key = bytes; return 0; }
static inline int demo_map_users_decode(weir_bytes bytes, weir_arena *arena, demo_user *value) { (void)arena; return demo_user_decode(bytes, arena, value); }
static inline void demo_map_users_encode(const demo_user *value, weir_writer *w) { demo_user_encode(value, w); }
static inline int demo_map_users_get(demo_map_users map, weir_bytes key, weir_arena *arena, demo_user *value, uint64_t *version) {
  uint8_t room[8]; weir_bytes bytes = demo_map_users_key(key, room);
  int error = weir_fetch(map.handle, bytes, arena, &bytes, version);
  return error ? error : demo_map_users_decode(bytes, arena, value);
}
static inline int demo_map_users_set(demo_map_users map, weir_bytes key, const demo_user *value) {
  uint8_t room[8]; weir_bytes bytes = demo_map_users_key(key, room);
  weir_writer w = {0};
  int error;
  demo_map_users_encode(value, &w);
  error = w.failed ? WEIR_MEMORY : wasi_map_set(map.handle, bytes.data, bytes.size, w.data, w.size);
  free(w.data);
  return error;
}
// WEIR_AGAIN: the entry has another version, which is in `version` then.
static inline int demo_map_users_compare_and_swap(demo_map_users map, weir_bytes key, uint64_t expected, const demo_user *value, uint64_t *version) {
  uint8_t room[8]; weir_bytes bytes = demo_map_users_key(key, room);
  weir_writer w = {0};
  int error;
  demo_map_users_encode(value, &w);
  error = w.failed ? WEIR_MEMORY : wasi_map_compare_and_swap(map.handle, bytes.data, bytes.size, (int64_t)expected, w.data, w.size, version);
  free(w.data);
  return error;
}
static inline int demo_map_users_delete(demo_map_users map, weir_bytes key) {
  uint8_t room[8]; weir_bytes bytes = demo_map_users_key(key, room);
  return wasi_map_delete(map.handle, bytes.data, bytes.size);
}
static inline int demo_map_users_exists(demo_map_users map, weir_bytes key, uint32_t *out) {
  uint8_t room[8]; weir_bytes bytes = demo_map_users_key(key, room);
  return wasi_map_exists(map.handle, bytes.data, bytes.size, out);
}
static inline weir_scan demo_map_users_scan(demo_map_users map, weir_bytes prefix, weir_arena *arena) {
  weir_scan scan = {0};
  scan.map = map.handle;
  scan.prefix = prefix;
  scan.arena = arena;
  return scan;
}
static inline int demo_map_users_next(weir_scan *scan, weir_bytes *key, demo_user *value, uint64_t *version) {
  weir_bytes k, v;
  int error = weir_scan_next(scan, &k, &v, version);
  if (!error) error = demo_map_users_from_key(k, key);
  return error ? error : demo_map_users_decode(v, scan->arena, value);
}

// The map `samples`.
#define DEMO_MAP_SAMPLES_SCHEMA UINT64_C(0x01a66753f71967fa)
typedef struct demo_map_samples { uint32_t handle; } demo_map_samples;
static inline int demo_map_samples_open(int64_t rights, demo_map_samples *map) { return wasi_map_open((const uint8_t *)"samples", 7, rights, &map->handle); }
static inline int demo_map_samples_close(demo_map_samples map) { return wasi_map_close(map.handle); }
static inline weir_bytes demo_map_samples_key(uint64_t key, uint8_t *room) { (void)room; return weir_number_key(room, (uint64_t)key, 8, false); }
static inline int demo_map_samples_from_key(weir_bytes bytes, uint64_t *key) { if (bytes.size != 8) return WEIR_LENGTH; *key = (uint64_t)weir_key_number(bytes.data, 8, false); return 0; }
static inline int demo_map_samples_decode(weir_bytes bytes, weir_arena *arena, demo_sample *value) { (void)arena; return demo_sample_decode(bytes, arena, value); }
static inline void demo_map_samples_encode(const demo_sample *value, weir_writer *w) { demo_sample_encode(value, w); }
static inline int demo_map_samples_get(demo_map_samples map, uint64_t key, weir_arena *arena, demo_sample *value, uint64_t *version) {
  uint8_t room[8]; weir_bytes bytes = demo_map_samples_key(key, room);
  int error = weir_fetch(map.handle, bytes, arena, &bytes, version);
  return error ? error : demo_map_samples_decode(bytes, arena, value);
}
static inline int demo_map_samples_set(demo_map_samples map, uint64_t key, const demo_sample *value) {
  uint8_t room[8]; weir_bytes bytes = demo_map_samples_key(key, room);
  weir_writer w = {0};
  int error;
  demo_map_samples_encode(value, &w);
  error = w.failed ? WEIR_MEMORY : wasi_map_set(map.handle, bytes.data, bytes.size, w.data, w.size);
  free(w.data);
  return error;
}
// WEIR_AGAIN: the entry has another version, which is in `version` then.
static inline int demo_map_samples_compare_and_swap(demo_map_samples map, uint64_t key, uint64_t expected, const demo_sample *value, uint64_t *version) {
  uint8_t room[8]; weir_bytes bytes = demo_map_samples_key(key, room);
  weir_writer w = {0};
  int error;
  demo_map_samples_encode(value, &w);
  error = w.failed ? WEIR_MEMORY : wasi_map_compare_and_swap(map.handle, bytes.data, bytes.size, (int64_t)expected, w.data, w.size, version);
  free(w.data);
  return error;
}
static inline int demo_map_samples_delete(demo_map_samples map, uint64_t key) {
  uint8_t room[8]; weir_bytes bytes = demo_map_samples_key(key, room);
  return wasi_map_delete(map.handle, bytes.data, bytes.size);
}
static inline int demo_map_samples_exists(demo_map_samples map, uint64_t key, uint32_t *out) {
  uint8_t room[8]; weir_bytes bytes = demo_map_samples_key(key, room);
  return wasi_map_exists(map.handle, bytes.data, bytes.size, out);
}
static inline weir_scan demo_map_samples_scan(demo_map_samples map, weir_bytes prefix, weir_arena *arena) {
  weir_scan scan = {0};
  scan.map = map.handle;
  scan.prefix = prefix;
  scan.arena = arena;
  return scan;
}
static inline int demo_map_samples_next(weir_scan *scan, uint64_t *key, demo_sample *value, uint64_t *version) {
  weir_bytes k, v;
  int error = weir_scan_next(scan, &k, &v, version);
  if (!error) error = demo_map_samples_from_key(k, key);
  return error ? error : demo_map_samples_decode(v, scan->arena, value);
}

// The map `shapes`.
#define DEMO_MAP_SHAPES_SCHEMA UINT64_C(0xb9dda70369fcdd08)
typedef struct demo_map_shapes { uint32_t handle; } demo_map_shapes;
static inline int demo_map_shapes_open(int64_t rights, demo_map_shapes *map) { return wasi_map_open((const uint8_t *)"shapes", 6, rights, &map->handle); }
static inline int demo_map_shapes_close(demo_map_shapes map) { return wasi_map_close(map.handle); }
static inline weir_bytes demo_map_shapes_key(int32_t key, uint8_t *room) { (void)room; return weir_number_key(room, (uint64_t)(int64_t)key, 4, true); }
static inline int demo_map_shapes_from_key(weir_bytes bytes, int32_t *key) { if (bytes.size != 4) return WEIR_LENGTH; *key = (int32_t)weir_key_number(bytes.data, 4, true); return 0; }
static inline int demo_map_shapes_decode(weir_bytes bytes, weir_arena *arena, demo_shape *value) { (void)arena; return demo_shape_decode(bytes, arena, value); }
static inline void demo_map_shapes_encode(const demo_shape *value, weir_writer *w) { demo_shape_encode(value, w); }
static inline int demo_map_shapes_get(demo_map_shapes map, int32_t key, weir_arena *arena, demo_shape *value, uint64_t *version) {
  uint8_t room[8]; weir_bytes bytes = demo_map_shapes_key(key, room);
  int error = weir_fetch(map.handle, bytes, arena, &bytes, version);
  return error ? error : demo_map_shapes_decode(bytes, arena, value);
}
static inline int demo_map_shapes_set(demo_map_shapes map, int32_t key, const demo_shape *value) {
  uint8_t room[8]; weir_bytes bytes = demo_map_shapes_key(key, room);
  weir_writer w = {0};
  int error;
  demo_map_shapes_encode(value, &w);
  error = w.failed ? WEIR_MEMORY : wasi_map_set(map.handle, bytes.data, bytes.size, w.data, w.size);
  free(w.data);
  return error;
}
// WEIR_AGAIN: the entry has another version, which is in `version` then.
static inline int demo_map_shapes_compare_and_swap(demo_map_shapes map, int32_t key, uint64_t expected, const demo_shape *value, uint64_t *version) {
  uint8_t room[8]; weir_bytes bytes = demo_map_shapes_key(key, room);
  weir_writer w = {0};
  int error;
  demo_map_shapes_encode(value, &w);
  error = w.failed ? WEIR_MEMORY : wasi_map_compare_and_swap(map.handle, bytes.data, bytes.size, (int64_t)expected, w.data, w.size, version);
  free(w.data);
  return error;
}
static inline int demo_map_shapes_delete(demo_map_shapes map, int32_t key) {
  uint8_t room[8]; weir_bytes bytes = demo_map_shapes_key(key, room);
  return wasi_map_delete(map.handle, bytes.data, bytes.size);
}
static inline int demo_map_shapes_exists(demo_map_shapes map, int32_t key, uint32_t *out) {
  uint8_t room[8]; weir_bytes bytes = demo_map_shapes_key(key, room);
  return wasi_map_exists(map.handle, bytes.data, bytes.size, out);
}
static inline weir_scan demo_map_shapes_scan(demo_map_shapes map, weir_bytes prefix, weir_arena *arena) {
  weir_scan scan = {0};
  scan.map = map.handle;
  scan.prefix = prefix;
  scan.arena = arena;
  return scan;
}
static inline int demo_map_shapes_next(weir_scan *scan, int32_t *key, demo_shape *value, uint64_t *version) {
  weir_bytes k, v;
  int error = weir_scan_next(scan, &k, &v, version);
  if (!error) error = demo_map_shapes_from_key(k, key);
  return error ? error : demo_map_shapes_decode(v, scan->arena, value);
}

// The map `packets`.
#define DEMO_MAP_PACKETS_SCHEMA UINT64_C(0x27af3828d3c82eb8)
typedef struct demo_map_packets { uint32_t handle; } demo_map_packets;
static inline int demo_map_packets_open(int64_t rights, demo_map_packets *map) { return wasi_map_open((const uint8_t *)"packets", 7, rights, &map->handle); }
static inline int demo_map_packets_close(demo_map_packets map) { return wasi_map_close(map.handle); }
static inline weir_bytes demo_map_packets_key(uint32_t key, uint8_t *room) { (void)room; return weir_number_key(room, (uint64_t)key, 4, false); }
static inline int demo_map_packets_from_key(weir_bytes bytes, uint32_t *key) { if (bytes.size != 4) return WEIR_LENGTH; *key = (uint32_t)weir_key_number(bytes.data, 4, false); return 0; }
static inline int demo_map_packets_decode(weir_bytes bytes, weir_arena *arena, demo_data_packet *value) { (void)arena; if (bytes.size != sizeof *value) return WEIR_LENGTH; if (weir_check(&demo_data_packet_type, bytes.data)) return WEIR_RANGE; memcpy(value, bytes.data, sizeof *value); return 0; }
static inline void demo_map_packets_encode(const demo_data_packet *value, weir_writer *w) { uint8_t out[sizeof *value]; weir_clean(&demo_data_packet_type, value, out); weir_put(w, out, sizeof out); }
static inline int demo_map_packets_get(demo_map_packets map, uint32_t key, weir_arena *arena, demo_data_packet *value, uint64_t *version) {
  uint8_t room[8]; weir_bytes bytes = demo_map_packets_key(key, room);
  int error = weir_fetch(map.handle, bytes, arena, &bytes, version);
  return error ? error : demo_map_packets_decode(bytes, arena, value);
}
static inline int demo_map_packets_set(demo_map_packets map, uint32_t key, const demo_data_packet *value) {
  uint8_t room[8]; weir_bytes bytes = demo_map_packets_key(key, room);
  weir_writer w = {0};
  int error;
  demo_map_packets_encode(value, &w);
  error = w.failed ? WEIR_MEMORY : wasi_map_set(map.handle, bytes.data, bytes.size, w.data, w.size);
  free(w.data);
  return error;
}
// WEIR_AGAIN: the entry has another version, which is in `version` then.
static inline int demo_map_packets_compare_and_swap(demo_map_packets map, uint32_t key, uint64_t expected, const demo_data_packet *value, uint64_t *version) {
  uint8_t room[8]; weir_bytes bytes = demo_map_packets_key(key, room);
  weir_writer w = {0};
  int error;
  demo_map_packets_encode(value, &w);
  error = w.failed ? WEIR_MEMORY : wasi_map_compare_and_swap(map.handle, bytes.data, bytes.size, (int64_t)expected, w.data, w.size, version);
  free(w.data);
  return error;
}
static inline int demo_map_packets_delete(demo_map_packets map, uint32_t key) {
  uint8_t room[8]; weir_bytes bytes = demo_map_packets_key(key, room);
  return wasi_map_delete(map.handle, bytes.data, bytes.size);
}
static inline int demo_map_packets_exists(demo_map_packets map, uint32_t key, uint32_t *out) {
  uint8_t room[8]; weir_bytes bytes = demo_map_packets_key(key, room);
  return wasi_map_exists(map.handle, bytes.data, bytes.size, out);
}
static inline weir_scan demo_map_packets_scan(demo_map_packets map, weir_bytes prefix, weir_arena *arena) {
  weir_scan scan = {0};
  scan.map = map.handle;
  scan.prefix = prefix;
  scan.arena = arena;
  return scan;
}
static inline int demo_map_packets_next(weir_scan *scan, uint32_t *key, demo_data_packet *value, uint64_t *version) {
  weir_bytes k, v;
  int error = weir_scan_next(scan, &k, &v, version);
  if (!error) error = demo_map_packets_from_key(k, key);
  return error ? error : demo_map_packets_decode(v, scan->arena, value);
}

// The map `frames`.
#define DEMO_MAP_FRAMES_SCHEMA UINT64_C(0x308b764744f7946d)
typedef struct demo_map_frames { uint32_t handle; } demo_map_frames;
static inline int demo_map_frames_open(int64_t rights, demo_map_frames *map) { return wasi_map_open((const uint8_t *)"frames", 6, rights, &map->handle); }
static inline int demo_map_frames_close(demo_map_frames map) { return wasi_map_close(map.handle); }
static inline weir_bytes demo_map_frames_key(uint16_t key, uint8_t *room) { (void)room; return weir_number_key(room, (uint64_t)key, 2, false); }
static inline int demo_map_frames_from_key(weir_bytes bytes, uint16_t *key) { if (bytes.size != 2) return WEIR_LENGTH; *key = (uint16_t)weir_key_number(bytes.data, 2, false); return 0; }
static inline int demo_map_frames_decode(weir_bytes bytes, weir_arena *arena, demo_frame *value) { (void)arena; if (bytes.size != sizeof *value) return WEIR_LENGTH; if (weir_check(&demo_frame_type, bytes.data)) return WEIR_RANGE; memcpy(value, bytes.data, sizeof *value); return 0; }
static inline void demo_map_frames_encode(const demo_frame *value, weir_writer *w) { uint8_t out[sizeof *value]; weir_clean(&demo_frame_type, value, out); weir_put(w, out, sizeof out); }
static inline int demo_map_frames_get(demo_map_frames map, uint16_t key, weir_arena *arena, demo_frame *value, uint64_t *version) {
  uint8_t room[8]; weir_bytes bytes = demo_map_frames_key(key, room);
  int error = weir_fetch(map.handle, bytes, arena, &bytes, version);
  return error ? error : demo_map_frames_decode(bytes, arena, value);
}
static inline int demo_map_frames_set(demo_map_frames map, uint16_t key, const demo_frame *value) {
  uint8_t room[8]; weir_bytes bytes = demo_map_frames_key(key, room);
  weir_writer w = {0};
  int error;
  demo_map_frames_encode(value, &w);
  error = w.failed ? WEIR_MEMORY : wasi_map_set(map.handle, bytes.data, bytes.size, w.data, w.size);
  free(w.data);
  return error;
}
// WEIR_AGAIN: the entry has another version, which is in `version` then.
static inline int demo_map_frames_compare_and_swap(demo_map_frames map, uint16_t key, uint64_t expected, const demo_frame *value, uint64_t *version) {
  uint8_t room[8]; weir_bytes bytes = demo_map_frames_key(key, room);
  weir_writer w = {0};
  int error;
  demo_map_frames_encode(value, &w);
  error = w.failed ? WEIR_MEMORY : wasi_map_compare_and_swap(map.handle, bytes.data, bytes.size, (int64_t)expected, w.data, w.size, version);
  free(w.data);
  return error;
}
static inline int demo_map_frames_delete(demo_map_frames map, uint16_t key) {
  uint8_t room[8]; weir_bytes bytes = demo_map_frames_key(key, room);
  return wasi_map_delete(map.handle, bytes.data, bytes.size);
}
static inline int demo_map_frames_exists(demo_map_frames map, uint16_t key, uint32_t *out) {
  uint8_t room[8]; weir_bytes bytes = demo_map_frames_key(key, room);
  return wasi_map_exists(map.handle, bytes.data, bytes.size, out);
}
static inline weir_scan demo_map_frames_scan(demo_map_frames map, weir_bytes prefix, weir_arena *arena) {
  weir_scan scan = {0};
  scan.map = map.handle;
  scan.prefix = prefix;
  scan.arena = arena;
  return scan;
}
static inline int demo_map_frames_next(weir_scan *scan, uint16_t *key, demo_frame *value, uint64_t *version) {
  weir_bytes k, v;
  int error = weir_scan_next(scan, &k, &v, version);
  if (!error) error = demo_map_frames_from_key(k, key);
  return error ? error : demo_map_frames_decode(v, scan->arena, value);
}

// The map `thumbs`.
#define DEMO_MAP_THUMBS_SCHEMA UINT64_C(0xd810e838a84e6698)
typedef struct demo_map_thumbs { uint32_t handle; } demo_map_thumbs;
static inline int demo_map_thumbs_open(int64_t rights, demo_map_thumbs *map) { return wasi_map_open((const uint8_t *)"thumbs", 6, rights, &map->handle); }
static inline int demo_map_thumbs_close(demo_map_thumbs map) { return wasi_map_close(map.handle); }
static inline weir_bytes demo_map_thumbs_key(uint64_t key, uint8_t *room) { (void)room; return weir_number_key(room, (uint64_t)key, 8, false); }
static inline int demo_map_thumbs_from_key(weir_bytes bytes, uint64_t *key) { if (bytes.size != 8) return WEIR_LENGTH; *key = (uint64_t)weir_key_number(bytes.data, 8, false); return 0; }
static inline int demo_map_thumbs_decode(weir_bytes bytes, weir_arena *arena, weir_bytes *value) { (void)arena; *value = bytes; return 0; }
static inline void demo_map_thumbs_encode(const weir_bytes *value, weir_writer *w) { weir_put(w, value->data, value->size); }
static inline int demo_map_thumbs_get(demo_map_thumbs map, uint64_t key, weir_arena *arena, weir_bytes *value, uint64_t *version) {
  uint8_t room[8]; weir_bytes bytes = demo_map_thumbs_key(key, room);
  int error = weir_fetch(map.handle, bytes, arena, &bytes, version);
  return error ? error : demo_map_thumbs_decode(bytes, arena, value);
}
static inline int demo_map_thumbs_set(demo_map_thumbs map, uint64_t key, const weir_bytes *value) {
  uint8_t room[8]; weir_bytes bytes = demo_map_thumbs_key(key, room);
  weir_writer w = {0};
  int error;
  demo_map_thumbs_encode(value, &w);
  error = w.failed ? WEIR_MEMORY : wasi_map_set(map.handle, bytes.data, bytes.size, w.data, w.size);
  free(w.data);
  return error;
}
// WEIR_AGAIN: the entry has another version, which is in `version` then.
static inline int demo_map_thumbs_compare_and_swap(demo_map_thumbs map, uint64_t key, uint64_t expected, const weir_bytes *value, uint64_t *version) {
  uint8_t room[8]; weir_bytes bytes = demo_map_thumbs_key(key, room);
  weir_writer w = {0};
  int error;
  demo_map_thumbs_encode(value, &w);
  error = w.failed ? WEIR_MEMORY : wasi_map_compare_and_swap(map.handle, bytes.data, bytes.size, (int64_t)expected, w.data, w.size, version);
  free(w.data);
  return error;
}
static inline int demo_map_thumbs_delete(demo_map_thumbs map, uint64_t key) {
  uint8_t room[8]; weir_bytes bytes = demo_map_thumbs_key(key, room);
  return wasi_map_delete(map.handle, bytes.data, bytes.size);
}
static inline int demo_map_thumbs_exists(demo_map_thumbs map, uint64_t key, uint32_t *out) {
  uint8_t room[8]; weir_bytes bytes = demo_map_thumbs_key(key, room);
  return wasi_map_exists(map.handle, bytes.data, bytes.size, out);
}
static inline weir_scan demo_map_thumbs_scan(demo_map_thumbs map, weir_bytes prefix, weir_arena *arena) {
  weir_scan scan = {0};
  scan.map = map.handle;
  scan.prefix = prefix;
  scan.arena = arena;
  return scan;
}
static inline int demo_map_thumbs_next(weir_scan *scan, uint64_t *key, weir_bytes *value, uint64_t *version) {
  weir_bytes k, v;
  int error = weir_scan_next(scan, &k, &v, version);
  if (!error) error = demo_map_thumbs_from_key(k, key);
  return error ? error : demo_map_thumbs_decode(v, scan->arena, value);
}

// The map `notes`.
#define DEMO_MAP_NOTES_SCHEMA UINT64_C(0xb88d3a4fb89a2805)
typedef struct demo_map_notes { uint32_t handle; } demo_map_notes;
static inline int demo_map_notes_open(int64_t rights, demo_map_notes *map) { return wasi_map_open((const uint8_t *)"notes", 5, rights, &map->handle); }
static inline int demo_map_notes_close(demo_map_notes map) { return wasi_map_close(map.handle); }
static inline weir_bytes demo_map_notes_key(weir_bytes key, uint8_t *room) { (void)room; return key; }
static inline int demo_map_notes_from_key(weir_bytes bytes, weir_bytes *key) { *key = bytes; return 0; }
static inline int demo_map_notes_decode(weir_bytes bytes, weir_arena *arena, weir_bytes *value) { (void)arena; *value = bytes; return weir_is_utf8(bytes) ? 0 : WEIR_UTF8; }
static inline void demo_map_notes_encode(const weir_bytes *value, weir_writer *w) { weir_put(w, value->data, value->size); }
static inline int demo_map_notes_get(demo_map_notes map, weir_bytes key, weir_arena *arena, weir_bytes *value, uint64_t *version) {
  uint8_t room[8]; weir_bytes bytes = demo_map_notes_key(key, room);
  int error = weir_fetch(map.handle, bytes, arena, &bytes, version);
  return error ? error : demo_map_notes_decode(bytes, arena, value);
}
static inline int demo_map_notes_set(demo_map_notes map, weir_bytes key, const weir_bytes *value) {
  uint8_t room[8]; weir_bytes bytes = demo_map_notes_key(key, room);
  weir_writer w = {0};
  int error;
  demo_map_notes_encode(value, &w);
  error = w.failed ? WEIR_MEMORY : wasi_map_set(map.handle, bytes.data, bytes.size, w.data, w.size);
  free(w.data);
  return error;
}
// WEIR_AGAIN: the entry has another version, which is in `version` then.
static inline int demo_map_notes_compare_and_swap(demo_map_notes map, weir_bytes key, uint64_t expected, const weir_bytes *value, uint64_t *version) {
  uint8_t room[8]; weir_bytes bytes = demo_map_notes_key(key, room);
  weir_writer w = {0};
  int error;
  demo_map_notes_encode(value, &w);
  error = w.failed ? WEIR_MEMORY : wasi_map_compare_and_swap(map.handle, bytes.data, bytes.size, (int64_t)expected, w.data, w.size, version);
  free(w.data);
  return error;
}
static inline int demo_map_notes_delete(demo_map_notes map, weir_bytes key) {
  uint8_t room[8]; weir_bytes bytes = demo_map_notes_key(key, room);
  return wasi_map_delete(map.handle, bytes.data, bytes.size);
}
static inline int demo_map_notes_exists(demo_map_notes map, weir_bytes key, uint32_t *out) {
  uint8_t room[8]; weir_bytes bytes = demo_map_notes_key(key, room);
  return wasi_map_exists(map.handle, bytes.data, bytes.size, out);
}
static inline weir_scan demo_map_notes_scan(demo_map_notes map, weir_bytes prefix, weir_arena *arena) {
  weir_scan scan = {0};
  scan.map = map.handle;
  scan.prefix = prefix;
  scan.arena = arena;
  return scan;
}
static inline int demo_map_notes_next(weir_scan *scan, weir_bytes *key, weir_bytes *value, uint64_t *version) {
  weir_bytes k, v;
  int error = weir_scan_next(scan, &k, &v, version);
  if (!error) error = demo_map_notes_from_key(k, key);
  return error ? error : demo_map_notes_decode(v, scan->arena, value);
}

// The map `counters`.
#define DEMO_MAP_COUNTERS_SCHEMA UINT64_C(0x0b40c6729ea1c9b8)
typedef struct demo_map_counters { uint32_t handle; } demo_map_counters;
static inline int demo_map_counters_open(int64_t rights, demo_map_counters *map) { return wasi_map_open((const uint8_t *)"counters", 8, rights, &map->handle); }
static inline int demo_map_counters_close(demo_map_counters map) { return wasi_map_close(map.handle); }
static inline weir_bytes demo_map_counters_key(weir_bytes key, uint8_t *room) { (void)room; return key; }
static inline int demo_map_counters_from_key(weir_bytes bytes, weir_bytes *key) { if (!weir_is_utf8(bytes)) return WEIR_UTF8; *key = bytes; return 0; }
static inline int demo_map_counters_decode(weir_bytes bytes, weir_arena *arena, int64_t *value) { (void)arena; if (bytes.size != 8) return WEIR_LENGTH; memcpy(value, bytes.data, 8); return 0; }
static inline void demo_map_counters_encode(const int64_t *value, weir_writer *w) { weir_put(w, value, 8); }
static inline int demo_map_counters_get(demo_map_counters map, weir_bytes key, weir_arena *arena, int64_t *value, uint64_t *version) {
  uint8_t room[8]; weir_bytes bytes = demo_map_counters_key(key, room);
  int error = weir_fetch(map.handle, bytes, arena, &bytes, version);
  return error ? error : demo_map_counters_decode(bytes, arena, value);
}
static inline int demo_map_counters_set(demo_map_counters map, weir_bytes key, const int64_t *value) {
  uint8_t room[8]; weir_bytes bytes = demo_map_counters_key(key, room);
  weir_writer w = {0};
  int error;
  demo_map_counters_encode(value, &w);
  error = w.failed ? WEIR_MEMORY : wasi_map_set(map.handle, bytes.data, bytes.size, w.data, w.size);
  free(w.data);
  return error;
}
// WEIR_AGAIN: the entry has another version, which is in `version` then.
static inline int demo_map_counters_compare_and_swap(demo_map_counters map, weir_bytes key, uint64_t expected, const int64_t *value, uint64_t *version) {
  uint8_t room[8]; weir_bytes bytes = demo_map_counters_key(key, room);
  weir_writer w = {0};
  int error;
  demo_map_counters_encode(value, &w);
  error = w.failed ? WEIR_MEMORY : wasi_map_compare_and_swap(map.handle, bytes.data, bytes.size, (int64_t)expected, w.data, w.size, version);
  free(w.data);
  return error;
}
static inline int demo_map_counters_delete(demo_map_counters map, weir_bytes key) {
  uint8_t room[8]; weir_bytes bytes = demo_map_counters_key(key, room);
  return wasi_map_delete(map.handle, bytes.data, bytes.size);
}
static inline int demo_map_counters_exists(demo_map_counters map, weir_bytes key, uint32_t *out) {
  uint8_t room[8]; weir_bytes bytes = demo_map_counters_key(key, room);
  return wasi_map_exists(map.handle, bytes.data, bytes.size, out);
}
static inline int demo_map_counters_increment(demo_map_counters map, weir_bytes key, int64_t delta, int64_t *value) {
  uint8_t room[8]; weir_bytes bytes = demo_map_counters_key(key, room);
  return wasi_map_increment(map.handle, bytes.data, bytes.size, delta, value);
}
static inline weir_scan demo_map_counters_scan(demo_map_counters map, weir_bytes prefix, weir_arena *arena) {
  weir_scan scan = {0};
  scan.map = map.handle;
  scan.prefix = prefix;
  scan.arena = arena;
  return scan;
}
static inline int demo_map_counters_next(weir_scan *scan, weir_bytes *key, int64_t *value, uint64_t *version) {
  weir_bytes k, v;
  int error = weir_scan_next(scan, &k, &v, version);
  if (!error) error = demo_map_counters_from_key(k, key);
  return error ? error : demo_map_counters_decode(v, scan->arena, value);
}

// The map `lists`.
#define DEMO_MAP_LISTS_SCHEMA UINT64_C(0x712244bfb64cf207)
typedef struct demo_map_lists { uint32_t handle; } demo_map_lists;
static inline int demo_map_lists_open(int64_t rights, demo_map_lists *map) { return wasi_map_open((const uint8_t *)"lists", 5, rights, &map->handle); }
static inline int demo_map_lists_close(demo_map_lists map) { return wasi_map_close(map.handle); }
static inline weir_bytes demo_map_lists_key(bool key, uint8_t *room) { (void)room; return weir_number_key(room, key, 1, false); }
static inline int demo_map_lists_from_key(weir_bytes bytes, bool *key) { if (bytes.size != 1 || bytes.data[0] > 1) return WEIR_RANGE; *key = bytes.data[0] != 0; return 0; }
static inline int demo_map_lists_decode(weir_bytes bytes, weir_arena *arena, demo_lists_items *value) { (void)arena; return demo_lists_items_decode(bytes, arena, value); }
static inline void demo_map_lists_encode(const demo_lists_items *value, weir_writer *w) { demo_lists_items_encode(value, w); }
static inline int demo_map_lists_get(demo_map_lists map, bool key, weir_arena *arena, demo_lists_items *value, uint64_t *version) {
  uint8_t room[8]; weir_bytes bytes = demo_map_lists_key(key, room);
  int error = weir_fetch(map.handle, bytes, arena, &bytes, version);
  return error ? error : demo_map_lists_decode(bytes, arena, value);
}
static inline int demo_map_lists_set(demo_map_lists map, bool key, const demo_lists_items *value) {
  uint8_t room[8]; weir_bytes bytes = demo_map_lists_key(key, room);
  weir_writer w = {0};
  int error;
  demo_map_lists_encode(value, &w);
  error = w.failed ? WEIR_MEMORY : wasi_map_set(map.handle, bytes.data, bytes.size, w.data, w.size);
  free(w.data);
  return error;
}
// WEIR_AGAIN: the entry has another version, which is in `version` then.
static inline int demo_map_lists_compare_and_swap(demo_map_lists map, bool key, uint64_t expected, const demo_lists_items *value, uint64_t *version) {
  uint8_t room[8]; weir_bytes bytes = demo_map_lists_key(key, room);
  weir_writer w = {0};
  int error;
  demo_map_lists_encode(value, &w);
  error = w.failed ? WEIR_MEMORY : wasi_map_compare_and_swap(map.handle, bytes.data, bytes.size, (int64_t)expected, w.data, w.size, version);
  free(w.data);
  return error;
}
static inline int demo_map_lists_delete(demo_map_lists map, bool key) {
  uint8_t room[8]; weir_bytes bytes = demo_map_lists_key(key, room);
  return wasi_map_delete(map.handle, bytes.data, bytes.size);
}
static inline int demo_map_lists_exists(demo_map_lists map, bool key, uint32_t *out) {
  uint8_t room[8]; weir_bytes bytes = demo_map_lists_key(key, room);
  return wasi_map_exists(map.handle, bytes.data, bytes.size, out);
}
static inline weir_scan demo_map_lists_scan(demo_map_lists map, weir_bytes prefix, weir_arena *arena) {
  weir_scan scan = {0};
  scan.map = map.handle;
  scan.prefix = prefix;
  scan.arena = arena;
  return scan;
}
static inline int demo_map_lists_next(weir_scan *scan, bool *key, demo_lists_items *value, uint64_t *version) {
  weir_bytes k, v;
  int error = weir_scan_next(scan, &k, &v, version);
  if (!error) error = demo_map_lists_from_key(k, key);
  return error ? error : demo_map_lists_decode(v, scan->arena, value);
}

#ifdef __cplusplus
}
#endif

/* What the gateway compares with its own declarations when it loads the module. */
#ifdef __wasm__
__asm__(".section \".custom_section.weir:map-schema\",\"\",@\n"
  ".ascii \"{\\042weir-schema\\042:1,\\042types\\042:[{\\042name\\042:\\042user\\042,\\042kind\\042:\\042record\\042,\\042parts\\042:[{\\042name\"\n"
  ".ascii \"\\042:\\042name\\042,\\042number\\042:1,\\042rule\\042:\\042plain\\042,\\042type\\042:\\042string\\042},{\\042name\\042:\\042id\\042,\\042number\"\n"
  ".ascii \"\\042:2,\\042rule\\042:\\042plain\\042,\\042type\\042:\\042s32 zigzag\\042}]},{\\042name\\042:\\042colour\\042,\\042kind\\042:\\042enum\\042\"\n"
  ".ascii \",\\042parts\\042:[{\\042name\\042:\\042red\\042,\\042number\\042:0},{\\042name\\042:\\042green\\042,\\042number\\042:1},{\\042name\\042:\"\n"
  ".ascii \"\\042blue\\042,\\042number\\042:7}]},{\\042name\\042:\\042rights\\042,\\042kind\\042:\\042flags\\042,\\042parts\\042:[{\\042name\\042:\\042r\"\n"
  ".ascii \"ead\\042,\\042number\\042:0},{\\042name\\042:\\042write\\042,\\042number\\042:1},{\\042name\\042:\\042admin\\042,\\042number\\042:40\"\n"
  ".ascii \"}]},{\\042name\\042:\\042point\\042,\\042kind\\042:\\042record\\042,\\042parts\\042:[{\\042name\\042:\\042x\\042,\\042number\\042:1,\\042rul\"\n"
  ".ascii \"e\\042:\\042plain\\042,\\042type\\042:\\042f64\\042},{\\042name\\042:\\042y\\042,\\042number\\042:2,\\042rule\\042:\\042plain\\042,\\042type\\042:\\042f\"\n"
  ".ascii \"64\\042}]},{\\042name\\042:\\042shape-polygon-items\\042,\\042kind\\042:\\042wrapper\\042,\\042parts\\042:[{\\042name\\042:\\042\"\n"
  ".ascii \"items\\042,\\042number\\042:1,\\042rule\\042:\\042repeated\\042,\\042type\\042:3}]},{\\042name\\042:\\042shape\\042,\\042kind\\042:\\042\"\n"
  ".ascii \"variant\\042,\\042parts\\042:[{\\042name\\042:\\042nothing\\042,\\042number\\042:1,\\042type\\042:null},{\\042name\\042:\\042cir\"\n"
  ".ascii \"cle\\042,\\042number\\042:2,\\042type\\042:\\042f32\\042},{\\042name\\042:\\042polygon\\042,\\042number\\042:3,\\042type\\042:4},{\\042n\"\n"
  ".ascii \"ame\\042:\\042label\\042,\\042number\\042:4,\\042type\\042:\\042string\\042},{\\042name\\042:\\042owner\\042,\\042number\\042:5,\\042typ\"\n"
  ".ascii \"e\\042:0}]},{\\042name\\042:\\042sample-maybe-list-items\\042,\\042kind\\042:\\042wrapper\\042,\\042parts\\042:[{\\042na\"\n"
  ".ascii \"me\\042:\\042items\\042,\\042number\\042:1,\\042rule\\042:\\042repeated\\042,\\042type\\042:\\042u32 varint\\042}]},{\\042name\\042:\"\n"
  ".ascii \"\\042sample-grid-items\\042,\\042kind\\042:\\042wrapper\\042,\\042parts\\042:[{\\042name\\042:\\042items\\042,\\042number\\042:1\"\n"
  ".ascii \",\\042rule\\042:\\042repeated\\042,\\042type\\042:\\042u32 varint\\042}]},{\\042name\\042:\\042sample-pair\\042,\\042kind\\042:\\042\"\n"
  ".ascii \"tuple\\042,\\042parts\\042:[{\\042name\\042:\\042f0\\042,\\042number\\042:1,\\042rule\\042:\\042plain\\042,\\042type\\042:\\042u32 varin\"\n"
  ".ascii \"t\\042},{\\042name\\042:\\042f1\\042,\\042number\\042:2,\\042rule\\042:\\042plain\\042,\\042type\\042:\\042string\\042}]},{\\042name\\042:\\042s\"\n"
  ".ascii \"ample-outcome\\042,\\042kind\\042:\\042variant\\042,\\042parts\\042:[{\\042name\\042:\\042ok\\042,\\042number\\042:1,\\042type\\042:\"\n"
  ".ascii \"\\042u32 varint\\042},{\\042name\\042:\\042err\\042,\\042number\\042:2,\\042type\\042:\\042string\\042}]},{\\042name\\042:\\042sampl\"\n"
  ".ascii \"e-done\\042,\\042kind\\042:\\042variant\\042,\\042parts\\042:[{\\042name\\042:\\042ok\\042,\\042number\\042:1,\\042type\\042:null},{\"\n"
  ".ascii \"\\042name\\042:\\042err\\042,\\042number\\042:2,\\042type\\042:null}]},{\\042name\\042:\\042sample\\042,\\042kind\\042:\\042record\\042,\"\n"
  ".ascii \"\\042parts\\042:[{\\042name\\042:\\042flag\\042,\\042number\\042:1,\\042rule\\042:\\042plain\\042,\\042type\\042:\\042bool\\042},{\\042name\\042\"\n"
  ".ascii \":\\042tiny\\042,\\042number\\042:2,\\042rule\\042:\\042plain\\042,\\042type\\042:\\042s8 zigzag\\042},{\\042name\\042:\\042small\\042,\\042n\"\n"
  ".ascii \"umber\\042:3,\\042rule\\042:\\042plain\\042,\\042type\\042:\\042s16 zigzag\\042},{\\042name\\042:\\042medium\\042,\\042number\\042:4\"\n"
  ".ascii \",\\042rule\\042:\\042plain\\042,\\042type\\042:\\042s32 zigzag\\042},{\\042name\\042:\\042big\\042,\\042number\\042:5,\\042rule\\042:\\042pl\"\n"
  ".ascii \"ain\\042,\\042type\\042:\\042s64 zigzag\\042},{\\042name\\042:\\042utiny\\042,\\042number\\042:6,\\042rule\\042:\\042plain\\042,\\042typ\"\n"
  ".ascii \"e\\042:\\042u8 varint\\042},{\\042name\\042:\\042usmall\\042,\\042number\\042:7,\\042rule\\042:\\042plain\\042,\\042type\\042:\\042u16 v\"\n"
  ".ascii \"arint\\042},{\\042name\\042:\\042umedium\\042,\\042number\\042:8,\\042rule\\042:\\042plain\\042,\\042type\\042:\\042u32 varint\\042}\"\n"
  ".ascii \",{\\042name\\042:\\042ubig\\042,\\042number\\042:9,\\042rule\\042:\\042plain\\042,\\042type\\042:\\042u64 varint\\042},{\\042name\\042:\\042\"\n"
  ".ascii \"single\\042,\\042number\\042:10,\\042rule\\042:\\042plain\\042,\\042type\\042:\\042f32\\042},{\\042name\\042:\\042double\\042,\\042numbe\"\n"
  ".ascii \"r\\042:11,\\042rule\\042:\\042plain\\042,\\042type\\042:\\042f64\\042},{\\042name\\042:\\042letter\\042,\\042number\\042:12,\\042rule\\042:\\042\"\n"
  ".ascii \"plain\\042,\\042type\\042:\\042char\\042},{\\042name\\042:\\042text\\042,\\042number\\042:13,\\042rule\\042:\\042plain\\042,\\042type\\042:\\042\"\n"
  ".ascii \"string\\042},{\\042name\\042:\\042raw\\042,\\042number\\042:14,\\042rule\\042:\\042plain\\042,\\042type\\042:\\042bytes\\042},{\\042name\"\n"
  ".ascii \"\\042:\\042colour\\042,\\042number\\042:15,\\042rule\\042:\\042plain\\042,\\042type\\042:1},{\\042name\\042:\\042rights\\042,\\042number\"\n"
  ".ascii \"\\042:16,\\042rule\\042:\\042plain\\042,\\042type\\042:2},{\\042name\\042:\\042user\\042,\\042number\\042:17,\\042rule\\042:\\042plain\\042,\"\n"
  ".ascii \"\\042type\\042:0},{\\042name\\042:\\042shape\\042,\\042number\\042:18,\\042rule\\042:\\042plain\\042,\\042type\\042:5},{\\042name\\042:\\042\"\n"
  ".ascii \"maybe-number\\042,\\042number\\042:19,\\042rule\\042:\\042optional\\042,\\042type\\042:\\042u32 varint\\042},{\\042name\\042\"\n"
  ".ascii \":\\042maybe-text\\042,\\042number\\042:20,\\042rule\\042:\\042optional\\042,\\042type\\042:\\042string\\042},{\\042name\\042:\\042ma\"\n"
  ".ascii \"ybe-user\\042,\\042number\\042:21,\\042rule\\042:\\042optional\\042,\\042type\\042:0},{\\042name\\042:\\042maybe-list\\042,\\042\"\n"
  ".ascii \"number\\042:22,\\042rule\\042:\\042optional\\042,\\042type\\042:6},{\\042name\\042:\\042numbers\\042,\\042number\\042:23,\\042ru\"\n"
  ".ascii \"le\\042:\\042repeated\\042,\\042type\\042:\\042s64 zigzag\\042},{\\042name\\042:\\042ratios\\042,\\042number\\042:24,\\042rule\\042:\"\n"
  ".ascii \"\\042repeated\\042,\\042type\\042:\\042f64\\042},{\\042name\\042:\\042colours\\042,\\042number\\042:25,\\042rule\\042:\\042repeated\\042\"\n"
  ".ascii \",\\042type\\042:1},{\\042name\\042:\\042texts\\042,\\042number\\042:26,\\042rule\\042:\\042repeated\\042,\\042type\\042:\\042string\\042\"\n"
  ".ascii \"},{\\042name\\042:\\042users\\042,\\042number\\042:27,\\042rule\\042:\\042repeated\\042,\\042type\\042:0},{\\042name\\042:\\042shape\"\n"
  ".ascii \"s\\042,\\042number\\042:28,\\042rule\\042:\\042repeated\\042,\\042type\\042:5},{\\042name\\042:\\042grid\\042,\\042number\\042:29,\\042r\"\n"
  ".ascii \"ule\\042:\\042repeated\\042,\\042type\\042:7},{\\042name\\042:\\042pair\\042,\\042number\\042:30,\\042rule\\042:\\042plain\\042,\\042typ\"\n"
  ".ascii \"e\\042:8},{\\042name\\042:\\042outcome\\042,\\042number\\042:31,\\042rule\\042:\\042plain\\042,\\042type\\042:9},{\\042name\\042:\\042do\"\n"
  ".ascii \"ne\\042,\\042number\\042:32,\\042rule\\042:\\042plain\\042,\\042type\\042:10},{\\042name\\042:\\042type\\042,\\042number\\042:100,\\042r\"\n"
  ".ascii \"ule\\042:\\042plain\\042,\\042type\\042:\\042string\\042}]},{\\042name\\042:\\042data-packet\\042,\\042kind\\042:\\042record\\042,\\042p\"\n"
  ".ascii \"arts\\042:[{\\042name\\042:\\042id\\042,\\042number\\042:1,\\042rule\\042:\\042plain\\042,\\042type\\042:\\042u32 varint\\042},{\\042nam\"\n"
  ".ascii \"e\\042:\\042value\\042,\\042number\\042:2,\\042rule\\042:\\042plain\\042,\\042type\\042:\\042f64\\042}]},{\\042name\\042:\\042frame\\042,\\042ki\"\n"
  ".ascii \"nd\\042:\\042record\\042,\\042parts\\042:[{\\042name\\042:\\042kind\\042,\\042number\\042:1,\\042rule\\042:\\042plain\\042,\\042type\\042:\\042u\"\n"
  ".ascii \"8 varint\\042},{\\042name\\042:\\042packet\\042,\\042number\\042:2,\\042rule\\042:\\042plain\\042,\\042type\\042:12},{\\042name\\042\"\n"
  ".ascii \":\\042colour\\042,\\042number\\042:3,\\042rule\\042:\\042plain\\042,\\042type\\042:1},{\\042name\\042:\\042last\\042,\\042number\\042:4,\"\n"
  ".ascii \"\\042rule\\042:\\042plain\\042,\\042type\\042:\\042bool\\042},{\\042name\\042:\\042delta\\042,\\042number\\042:5,\\042rule\\042:\\042plain\\042,\"\n"
  ".ascii \"\\042type\\042:\\042s16 zigzag\\042}]},{\\042name\\042:\\042lists-items\\042,\\042kind\\042:\\042wrapper\\042,\\042parts\\042:[{\"\n"
  ".ascii \"\\042name\\042:\\042items\\042,\\042number\\042:1,\\042rule\\042:\\042repeated\\042,\\042type\\042:\\042u32 varint\\042}]}],\\042map\"\n"
  ".ascii \"s\\042:[{\\042name\\042:\\042users\\042,\\042key\\042:\\042string\\042,\\042value\\042:\\042message\\042,\\042type\\042:0},{\\042name\\042:\\042\"\n"
  ".ascii \"samples\\042,\\042key\\042:\\042u64\\042,\\042value\\042:\\042message\\042,\\042type\\042:11},{\\042name\\042:\\042shapes\\042,\\042key\\042\"\n"
  ".ascii \":\\042s32\\042,\\042value\\042:\\042message\\042,\\042type\\042:5},{\\042name\\042:\\042packets\\042,\\042key\\042:\\042u32\\042,\\042value\\042\"\n"
  ".ascii \":\\042layout\\042,\\042type\\042:12},{\\042name\\042:\\042frames\\042,\\042key\\042:\\042u16\\042,\\042value\\042:\\042layout\\042,\\042type\"\n"
  ".ascii \"\\042:13},{\\042name\\042:\\042thumbs\\042,\\042key\\042:\\042u64\\042,\\042value\\042:\\042bytes\\042,\\042type\\042:null},{\\042name\\042:\"\n"
  ".ascii \"\\042notes\\042,\\042key\\042:\\042bytes\\042,\\042value\\042:\\042text\\042,\\042type\\042:null},{\\042name\\042:\\042counters\\042,\\042ke\"\n"
  ".ascii \"y\\042:\\042string\\042,\\042value\\042:\\042counter\\042,\\042type\\042:null},{\\042name\\042:\\042lists\\042,\\042key\\042:\\042bool\\042,\"\n"
  ".ascii \"\\042value\\042:\\042message\\042,\\042type\\042:14}]}\"\n"
  ".text\n");
#endif
#endif
