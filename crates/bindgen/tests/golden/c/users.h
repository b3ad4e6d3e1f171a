/* Written by `weir bindgen`; do not edit. */
#ifndef WEIR_USERS_H
#define WEIR_USERS_H

#include "weir_map.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef int32_t users_role;
#define USERS_ROLE_OWNER (-2)
#define USERS_ROLE_GUEST (0)
#define USERS_ROLE_MEMBER (1)

typedef struct users_user_quotas_entry {
  weir_bytes key;
  uint32_t value;
  weir_bytes unknown; // fields that a newer schema has
} users_user_quotas_entry;
static const weir_field users_user_quotas_entry_fields[] = {
  {1, WEIR_text_, WEIR_PLAIN, sizeof(weir_bytes), offsetof(users_user_quotas_entry, key), 0, NULL},
  {2, WEIR_u32, WEIR_PLAIN, sizeof(uint32_t), offsetof(users_user_quotas_entry, value), 0, NULL},
};
static const weir_type users_user_quotas_entry_type = {sizeof(users_user_quotas_entry), users_user_quotas_entry_fields, 2, offsetof(users_user_quotas_entry, unknown), WEIR_NONE};
static inline void users_user_quotas_entry_init(users_user_quotas_entry *value) { weir_init(&users_user_quotas_entry_type, value); }
static inline int users_user_quotas_entry_decode(weir_bytes bytes, weir_arena *arena, users_user_quotas_entry *value) { return weir_decode(&users_user_quotas_entry_type, bytes, arena, value); }
static inline void users_user_quotas_entry_encode(const users_user_quotas_entry *value, weir_writer *w) { weir_write(&users_user_quotas_entry_type, value, w); }

typedef struct users_user_address {
  weir_bytes street;
  weir_bytes town;
  weir_bytes unknown; // fields that a newer schema has
} users_user_address;
static const weir_field users_user_address_fields[] = {
  {1, WEIR_text_, WEIR_PLAIN, sizeof(weir_bytes), offsetof(users_user_address, street), 0, NULL},
  {2, WEIR_text_, WEIR_PLAIN, sizeof(weir_bytes), offsetof(users_user_address, town), 0, NULL},
};
static const weir_type users_user_address_type = {sizeof(users_user_address), users_user_address_fields, 2, offsetof(users_user_address, unknown), WEIR_NONE};
static inline void users_user_address_init(users_user_address *value) { weir_init(&users_user_address_type, value); }
static inline int users_user_address_decode(weir_bytes bytes, weir_arena *arena, users_user_address *value) { return weir_decode(&users_user_address_type, bytes, arena, value); }
static inline void users_user_address_encode(const users_user_address *value, weir_writer *w) { weir_write(&users_user_address_type, value, w); }

// Who somebody is.
typedef struct users_user {
  // What they are called.
  weir_bytes name;
  int32_t id;
  users_role role;
  bool has_mail;
  weir_bytes mail;
  int64_t *scores;
  size_t scores_count;
  users_user_quotas_entry *quotas;
  size_t quotas_count;
  bool has_address;
  users_user_address address;
  uint64_t serial;
  int32_t *steps;
  size_t steps_count;
  weir_bytes unknown; // fields that a newer schema has
} users_user;
static const weir_field users_user_fields[] = {
  {1, WEIR_text_, WEIR_PLAIN, sizeof(weir_bytes), offsetof(users_user, name), 0, NULL},
  {2, WEIR_i32, WEIR_PLAIN, sizeof(int32_t), offsetof(users_user, id), 0, NULL},
  {4, WEIR_i32, WEIR_PLAIN, sizeof(users_role), offsetof(users_user, role), 0, NULL},
  {5, WEIR_text_, WEIR_OPTIONAL, sizeof(weir_bytes), offsetof(users_user, mail), offsetof(users_user, has_mail), NULL},
  {6, WEIR_s64, WEIR_REPEATED, sizeof(int64_t), offsetof(users_user, scores), offsetof(users_user, scores_count), NULL},
  {7, WEIR_message, WEIR_REPEATED, sizeof(users_user_quotas_entry), offsetof(users_user, quotas), offsetof(users_user, quotas_count), &users_user_quotas_entry_type},
  {8, WEIR_message, WEIR_OPTIONAL, sizeof(users_user_address), offsetof(users_user, address), offsetof(users_user, has_address), &users_user_address_type},
  {9, WEIR_fixed64, WEIR_PLAIN, sizeof(uint64_t), offsetof(users_user, serial), 0, NULL},
  {10, WEIR_sfixed32, WEIR_REPEATED, sizeof(int32_t), offsetof(users_user, steps), offsetof(users_user, steps_count), NULL},
};
static const weir_type users_user_type = {sizeof(users_user), users_user_fields, 9, offsetof(users_user, unknown), WEIR_NONE};
static inline void users_user_init(users_user *value) { weir_init(&users_user_type, value); }
static inline int users_user_decode(weir_bytes bytes, weir_arena *arena, users_user *value) { return weir_decode(&users_user_type, bytes, arena, value); }
static inline void users_user_encode(const users_user *value, weir_writer *w) { weir_write(&users_user_type, value, w); }

typedef struct users_get_user_request {
  uint32_t which; // 0: a case that a newer schema has, in `unknown`
  union {
    char none;
    int32_t id;
    weir_bytes name;
  } as;
  weir_bytes unknown;
} users_get_user_request;
#define USERS_GET_USER_REQUEST_ID 1u
#define USERS_GET_USER_REQUEST_NAME 2u
static const weir_field users_get_user_request_fields[] = {
  {1, WEIR_i32, WEIR_CASE, sizeof(int32_t), offsetof(users_get_user_request, as.id), 0, NULL},
  {2, WEIR_text_, WEIR_CASE, sizeof(weir_bytes), offsetof(users_get_user_request, as.name), 0, NULL},
};
static const weir_type users_get_user_request_type = {sizeof(users_get_user_request), users_get_user_request_fields, 2, offsetof(users_get_user_request, unknown), offsetof(users_get_user_request, which)};
static inline void users_get_user_request_init(users_get_user_request *value) { weir_init(&users_get_user_request_type, value); }
static inline int users_get_user_request_decode(weir_bytes bytes, weir_arena *arena, users_get_user_request *value) { return weir_decode(&users_get_user_request_type, bytes, arena, value); }
static inline void users_get_user_request_encode(const users_get_user_request *value, weir_writer *w) { weir_write(&users_get_user_request_type, value, w); }

typedef struct users_get_user_response {
  bool has_user;
  users_user user;
  weir_bytes unknown; // fields that a newer schema has
} users_get_user_response;
static const weir_field users_get_user_response_fields[] = {
  {1, WEIR_message, WEIR_OPTIONAL, sizeof(users_user), offsetof(users_get_user_response, user), offsetof(users_get_user_response, has_user), &users_user_type},
};
static const weir_type users_get_user_response_type = {sizeof(users_get_user_response), users_get_user_response_fields, 1, offsetof(users_get_user_response, unknown), WEIR_NONE};
static inline void users_get_user_response_init(users_get_user_response *value) { weir_init(&users_get_user_response_type, value); }
static inline int users_get_user_response_decode(weir_bytes bytes, weir_arena *arena, users_get_user_response *value) { return weir_decode(&users_get_user_response_type, bytes, arena, value); }
static inline void users_get_user_response_encode(const users_get_user_response *value, weir_writer *w) { weir_write(&users_get_user_response_type, value, w); }

// The map `users`.
#define USERS_MAP_USERS_SCHEMA UINT64_C(0x464eab12e7f4b735)
typedef struct users_map_users { uint32_t handle; } users_map_users;
static inline int users_map_users_open(int64_t rights, users_map_users *map) { return wasi_map_open((const uint8_t *)"users", 5, rights, &map->handle); }
static inline int users_map_users_close(users_map_users map) { return wasi_map_close(map.handle); }
static inline weir_bytes users_map_users_key(weir_bytes key, uint8_t *room) { (void)room; return key; }
static inline int users_map_users_from_key(weir_bytes bytes, weir_bytes *key) { if (!weir_is_utf8(bytes)) return WEIR_UTF8; *key = bytes; return 0; }
static inline int users_map_users_decode(weir_bytes bytes, weir_arena *arena, users_user *value) { (void)arena; return users_user_decode(bytes, arena, value); }
static inline void users_map_users_encode(const users_user *value, weir_writer *w) { users_user_encode(value, w); }
static inline int users_map_users_get(users_map_users map, weir_bytes key, weir_arena *arena, users_user *value, uint64_t *version) {
  uint8_t room[8]; weir_bytes bytes = users_map_users_key(key, room);
  int error = weir_fetch(map.handle, bytes, arena, &bytes, version);
  return error ? error : users_map_users_decode(bytes, arena, value);
}
static inline int users_map_users_set(users_map_users map, weir_bytes key, const users_user *value) {
  uint8_t room[8]; weir_bytes bytes = users_map_users_key(key, room);
  weir_writer w = {0};
  int error;
  users_map_users_encode(value, &w);
  error = w.failed ? WEIR_MEMORY : wasi_map_set(map.handle, bytes.data, bytes.size, w.data, w.size);
  free(w.data);
  return error;
}
// WEIR_AGAIN: the entry has another version, which is in `version` then.
static inline int users_map_users_compare_and_swap(users_map_users map, weir_bytes key, uint64_t expected, const users_user *value, uint64_t *version) {
  uint8_t room[8]; weir_bytes bytes = users_map_users_key(key, room);
  weir_writer w = {0};
  int error;
  users_map_users_encode(value, &w);
  error = w.failed ? WEIR_MEMORY : wasi_map_compare_and_swap(map.handle, bytes.data, bytes.size, (int64_t)expected, w.data, w.size, version);
  free(w.data);
  return error;
}
static inline int users_map_users_delete(users_map_users map, weir_bytes key) {
  uint8_t room[8]; weir_bytes bytes = users_map_users_key(key, room);
  return wasi_map_delete(map.handle, bytes.data, bytes.size);
}
static inline int users_map_users_exists(users_map_users map, weir_bytes key, uint32_t *out) {
  uint8_t room[8]; weir_bytes bytes = users_map_users_key(key, room);
  return wasi_map_exists(map.handle, bytes.data, bytes.size, out);
}
static inline weir_scan users_map_users_scan(users_map_users map, weir_bytes prefix, weir_arena *arena) {
  weir_scan scan = {0};
  scan.map = map.handle;
  scan.prefix = prefix;
  scan.arena = arena;
  return scan;
}
static inline int users_map_users_next(weir_scan *scan, weir_bytes *key, users_user *value, uint64_t *version) {
  weir_bytes k, v;
  int error = weir_scan_next(scan, &k, &v, version);
  if (!error) error = users_map_users_from_key(k, key);
  return error ? error : users_map_users_decode(v, scan->arena, value);
}

// Looks after users.
typedef struct users_user_service {
  void *self;
  // Finds one.
  int (*get_user)(void *self, const users_get_user_request *request, weir_arena *arena, users_get_user_response *response);
  int (*put_user)(void *self, const users_user *request, weir_arena *arena, users_get_user_response *response);
} users_user_service;
// Calls the function of a path with bytes; WEIR_NOENT: there is none.
static inline int users_user_service_dispatch(const users_user_service *service, const char *path, weir_bytes request, weir_arena *arena, weir_writer *w) {
  if (strcmp(path, "/demo.v1.UserService/GetUser") == 0) {
    users_get_user_request in;
    users_get_user_response out;
    int error = users_get_user_request_decode(request, arena, &in);
    users_get_user_response_init(&out);
    if (!error) error = service->get_user(service->self, &in, arena, &out);
    if (!error) users_get_user_response_encode(&out, w);
    return error;
  }
  if (strcmp(path, "/demo.v1.UserService/PutUser") == 0) {
    users_user in;
    users_get_user_response out;
    int error = users_user_decode(request, arena, &in);
    users_get_user_response_init(&out);
    if (!error) error = service->put_user(service->self, &in, arena, &out);
    if (!error) users_get_user_response_encode(&out, w);
    return error;
  }
  return WEIR_NOENT;
}

// Calls the functions by way of bytes: `ask` gets a function's path and request, and puts its response into the arena.
typedef struct users_user_service_client {
  weir_ask *ask;
  void *self;
} users_user_service_client;
// Finds one.
static inline int users_user_service_client_get_user(const users_user_service_client *client, const users_get_user_request *request, weir_arena *arena, users_get_user_response *response) {
  weir_writer w = {0};
  weir_bytes bytes;
  int error;
  users_get_user_request_encode(request, &w);
  error = weir_asked(client->ask, client->self, "/demo.v1.UserService/GetUser", &w, arena, &bytes);
  return error ? error : users_get_user_response_decode(bytes, arena, response);
}
static inline int users_user_service_client_put_user(const users_user_service_client *client, const users_user *request, weir_arena *arena, users_get_user_response *response) {
  weir_writer w = {0};
  weir_bytes bytes;
  int error;
  users_user_encode(request, &w);
  error = weir_asked(client->ask, client->self, "/demo.v1.UserService/PutUser", &w, arena, &bytes);
  return error ? error : users_get_user_response_decode(bytes, arena, response);
}

#ifdef __cplusplus
}
#endif

/* What the gateway compares with its own declarations when it loads the module. */
#ifdef __wasm__
__asm__(".section \".custom_section.weir:map-schema\",\"\",@\n"
  ".ascii \"{\\042weir-schema\\042:1,\\042types\\042:[{\\042name\\042:\\042role\\042,\\042kind\\042:\\042enum\\042,\\042parts\\042:[{\\042name\\042:\"\n"
  ".ascii \"\\042owner\\042,\\042number\\042:-2},{\\042name\\042:\\042guest\\042,\\042number\\042:0},{\\042name\\042:\\042member\\042,\\042numbe\"\n"
  ".ascii \"r\\042:1}]},{\\042name\\042:\\042user-quotas-entry\\042,\\042kind\\042:\\042record\\042,\\042parts\\042:[{\\042name\\042:\\042ke\"\n"
  ".ascii \"y\\042,\\042number\\042:1,\\042rule\\042:\\042plain\\042,\\042type\\042:\\042string\\042},{\\042name\\042:\\042value\\042,\\042number\\042:2\"\n"
  ".ascii \",\\042rule\\042:\\042plain\\042,\\042type\\042:\\042u32 varint\\042}]},{\\042name\\042:\\042user-address\\042,\\042kind\\042:\\042re\"\n"
  ".ascii \"cord\\042,\\042parts\\042:[{\\042name\\042:\\042street\\042,\\042number\\042:1,\\042rule\\042:\\042plain\\042,\\042type\\042:\\042string\"\n"
  ".ascii \"\\042},{\\042name\\042:\\042town\\042,\\042number\\042:2,\\042rule\\042:\\042plain\\042,\\042type\\042:\\042string\\042}]},{\\042name\\042:\\042\"\n"
  ".ascii \"user\\042,\\042kind\\042:\\042record\\042,\\042parts\\042:[{\\042name\\042:\\042name\\042,\\042number\\042:1,\\042rule\\042:\\042plain\\042,\"\n"
  ".ascii \"\\042type\\042:\\042string\\042},{\\042name\\042:\\042id\\042,\\042number\\042:2,\\042rule\\042:\\042plain\\042,\\042type\\042:\\042s32 vari\"\n"
  ".ascii \"nt\\042},{\\042name\\042:\\042role\\042,\\042number\\042:4,\\042rule\\042:\\042plain\\042,\\042type\\042:0},{\\042name\\042:\\042mail\\042,\\042\"\n"
  ".ascii \"number\\042:5,\\042rule\\042:\\042optional\\042,\\042type\\042:\\042string\\042},{\\042name\\042:\\042scores\\042,\\042number\\042:6\"\n"
  ".ascii \",\\042rule\\042:\\042repeated\\042,\\042type\\042:\\042s64 zigzag\\042},{\\042name\\042:\\042quotas\\042,\\042number\\042:7,\\042rul\"\n"
  ".ascii \"e\\042:\\042repeated\\042,\\042type\\042:1},{\\042name\\042:\\042address\\042,\\042number\\042:8,\\042rule\\042:\\042optional\\042,\\042\"\n"
  ".ascii \"type\\042:2},{\\042name\\042:\\042serial\\042,\\042number\\042:9,\\042rule\\042:\\042plain\\042,\\042type\\042:\\042u64 fixed\\042},\"\n"
  ".ascii \"{\\042name\\042:\\042steps\\042,\\042number\\042:10,\\042rule\\042:\\042repeated\\042,\\042type\\042:\\042s32 fixed\\042}]},{\\042na\"\n"
  ".ascii \"me\\042:\\042get-user-request\\042,\\042kind\\042:\\042variant\\042,\\042parts\\042:[{\\042name\\042:\\042id\\042,\\042number\\042:1\"\n"
  ".ascii \",\\042type\\042:\\042s32 varint\\042},{\\042name\\042:\\042name\\042,\\042number\\042:2,\\042type\\042:\\042string\\042}]},{\\042nam\"\n"
  ".ascii \"e\\042:\\042get-user-response\\042,\\042kind\\042:\\042record\\042,\\042parts\\042:[{\\042name\\042:\\042user\\042,\\042number\\042:\"\n"
  ".ascii \"1,\\042rule\\042:\\042optional\\042,\\042type\\042:3}]}],\\042maps\\042:[{\\042name\\042:\\042users\\042,\\042key\\042:\\042string\\042,\"\n"
  ".ascii \"\\042value\\042:\\042message\\042,\\042type\\042:3}]}\"\n"
  ".text\n");
#endif
#endif
