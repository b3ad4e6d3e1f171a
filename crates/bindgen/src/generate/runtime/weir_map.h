/* Written by `weir bindgen`; do not edit. What generated types and maps stand on. C11 and C++17. */
#ifndef WEIR_MAP_H
#define WEIR_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Bytes or text of somebody else; text has no zero at its end. */
typedef struct { const uint8_t *data; size_t size; } weir_bytes;

static inline weir_bytes weir_text(const char *text) {
  weir_bytes bytes = {(const uint8_t *)text, strlen(text)};
  return bytes;
}

static inline bool weir_equal(weir_bytes a, weir_bytes b) {
  return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

/* What a call says: 0, a number of WASI (6 again, 44 noent, ...), or one of these. */
enum {
  WEIR_SHORT = -1,
  WEIR_LONG_NUMBER = -2,
  WEIR_TAG = -3,
  WEIR_KIND = -4,
  WEIR_UTF8 = -5,
  WEIR_RANGE = -6,
  WEIR_LENGTH = -7,
  WEIR_MEMORY = -8
};

/* Memory of decoded values: freed all at once. Begin with {0}. */
typedef struct weir_block { struct weir_block *next; size_t used, room; } weir_block;
typedef struct { weir_block *first; } weir_arena;

static inline void *weir_alloc(weir_arena *arena, size_t size) {
  weir_block *block = arena->first;
  size_t begin;
  size = (size + 7) & ~(size_t)7;
  if (!block || block->room - block->used < size) {
    size_t room = size > 1000 ? size : 1000;
    block = (weir_block *)malloc(sizeof(weir_block) + 8 + room);
    if (!block) return NULL;
    block->next = arena->first;
    block->used = 0;
    block->room = room;
    arena->first = block;
  }
  begin = ((uintptr_t)(block + 1) + 7) & ~(uintptr_t)7;
  block->used += size;
  return memset((uint8_t *)begin + block->used - size, 0, size);
}

static inline void weir_free(weir_arena *arena) {
  while (arena->first) {
    weir_block *next = arena->first->next;
    free(arena->first);
    arena->first = next;
  }
}

/* How a value is written. */
enum {
  WEIR_bool, WEIR_u8, WEIR_u16, WEIR_u32, WEIR_u64, WEIR_i32, WEIR_i64, WEIR_s8, WEIR_s16, WEIR_s32, WEIR_s64,
  WEIR_fixed32, WEIR_fixed64, WEIR_sfixed32, WEIR_sfixed64, WEIR_f32, WEIR_f64, WEIR_char, WEIR_text_, WEIR_bytes_,
  WEIR_message
};
enum { WEIR_PLAIN, WEIR_OPTIONAL, WEIR_REPEATED, WEIR_CASE };

struct weir_type;
typedef struct {
  uint32_t number;
  uint8_t form, rule;
  size_t size, offset, has; /* has: where the presence of an optional field or a list's length is */
  const struct weir_type *type;
} weir_field;
typedef struct weir_type {
  size_t size;
  const weir_field *fields;
  size_t count;
  size_t unknown, which; /* WEIR_NONE: there is none */
} weir_type;
#define WEIR_NONE ((size_t)-1)

typedef struct { const uint8_t *at, *end; weir_arena *arena; } weir_reader;

static inline int weir_varint(weir_reader *r, uint64_t *out) {
  uint64_t value = 0;
  for (int shift = 0; shift < 64; shift += 7) {
    uint8_t byte;
    if (r->at == r->end) return WEIR_SHORT;
    byte = *r->at++;
    if (shift == 63 && byte > 1) return WEIR_LONG_NUMBER;
    value |= (uint64_t)(byte & 0x7f) << shift;
    if (byte < 0x80) {
      *out = value;
      return 0;
    }
  }
  return WEIR_LONG_NUMBER;
}

static inline int weir_slice(weir_reader *r, weir_bytes *out) {
  uint64_t size;
  int error = weir_varint(r, &size);
  if (error) return error;
  if (size > (uint64_t)(r->end - r->at)) return WEIR_SHORT;
  out->data = r->at;
  out->size = (size_t)size;
  r->at += size;
  return 0;
}

static inline int weir_skip(weir_reader *r, uint32_t kind) {
  uint64_t number;
  weir_bytes bytes;
  size_t size = kind == 1 ? 8 : 4;
  if (kind == 0) return weir_varint(r, &number);
  if (kind == 2) return weir_slice(r, &bytes);
  if ((size_t)(r->end - r->at) < size) return WEIR_SHORT;
  r->at += size;
  return 0;
}

static inline bool weir_is_utf8(weir_bytes text) {
  size_t i = 0;
  while (i < text.size) {
    uint8_t c = text.data[i++];
    size_t more = c < 0x80 ? 0 : c >= 0xc2 && c < 0xe0 ? 1 : c >= 0xe0 && c < 0xf0 ? 2 : c >= 0xf0 && c < 0xf5 ? 3 : 9;
    uint32_t code = more == 0 ? c : c & (0x3f >> more);
    if (more > text.size - i) return false;
    for (size_t left = more; left; left--, i++) {
      if ((text.data[i] & 0xc0) != 0x80) return false;
      code = code << 6 | (text.data[i] & 0x3f);
    }
    if ((more == 2 && (code < 0x800 || (code >> 11) == 0x1b)) || (more == 3 && (code < 0x10000 || code > 0x10ffff))) return false;
  }
  return true;
}

static inline uint32_t weir_kind(uint8_t form) {
  switch (form) {
    case WEIR_fixed32: case WEIR_sfixed32: case WEIR_f32: return 5;
    case WEIR_fixed64: case WEIR_sfixed64: case WEIR_f64: return 1;
    case WEIR_text_: case WEIR_bytes_: case WEIR_message: return 2;
    default: return 0;
  }
}

static inline int weir_merge(const weir_type *type, weir_reader *r, void *out);
static inline void weir_init(const weir_type *type, void *out);

#define WEIR_STORE(T, value) do { T stored = (T)(value); memcpy(out, &stored, sizeof stored); } while (0)

static inline int weir_read(const weir_field *f, weir_reader *r, void *out) {
  uint64_t n = 0;
  int64_t s;
  int error;
  uint32_t kind = weir_kind(f->form);
  if (kind == 0) {
    if ((error = weir_varint(r, &n))) return error;
  } else if (kind == 2) {
    weir_bytes bytes;
    weir_reader inner = *r;
    if ((error = weir_slice(r, &bytes))) return error;
    if (f->form == WEIR_message) {
      inner.at = bytes.data;
      inner.end = bytes.data + bytes.size;
      return weir_merge(f->type, &inner, out);
    }
    if (f->form == WEIR_text_ && !weir_is_utf8(bytes)) return WEIR_UTF8;
    memcpy(out, &bytes, sizeof bytes);
    return 0;
  } else {
    size_t size = kind == 1 ? 8 : 4;
    if ((size_t)(r->end - r->at) < size) return WEIR_SHORT;
    memcpy(out, r->at, size); /* guests and their hosts are little-endian */
    r->at += size;
    return 0;
  }
  s = (int64_t)(n >> 1) ^ -(int64_t)(n & 1);
  switch (f->form) {
    case WEIR_bool: WEIR_STORE(bool, n != 0); break;
    case WEIR_u8: if ((uint32_t)n > 0xff) return WEIR_RANGE; WEIR_STORE(uint8_t, n); break;
    case WEIR_u16: if ((uint32_t)n > 0xffff) return WEIR_RANGE; WEIR_STORE(uint16_t, n); break;
    case WEIR_u32: WEIR_STORE(uint32_t, n); break;
    case WEIR_i32: WEIR_STORE(int32_t, n); break;
    case WEIR_s64: WEIR_STORE(int64_t, s); break;
    case WEIR_char:
      if (n > 0x10ffff || (n >> 11) == 0x1b) return WEIR_RANGE;
      WEIR_STORE(uint32_t, n);
      break;
    case WEIR_s8: case WEIR_s16: case WEIR_s32: {
      uint32_t low = (uint32_t)n;
      int32_t value = (int32_t)(low >> 1) ^ -(int32_t)(low & 1);
      if (f->form == WEIR_s32) WEIR_STORE(int32_t, value);
      else if (f->form == WEIR_s16) {
        if (value < -32768 || value > 32767) return WEIR_RANGE;
        WEIR_STORE(int16_t, value);
      } else {
        if (value < -128 || value > 127) return WEIR_RANGE;
        WEIR_STORE(int8_t, value);
      }
      break;
    }
    default: WEIR_STORE(uint64_t, n); break;
  }
  return 0;
}

/* Reads one more item of a list; lists double when their length is a power of two. */
static inline int weir_push(const weir_field *f, weir_reader *r, uint8_t *out) {
  uint8_t *items;
  size_t count;
  memcpy(&items, out + f->offset, sizeof items);
  memcpy(&count, out + f->has, sizeof count);
  if ((count & (count - 1)) == 0) {
    uint8_t *grown = (uint8_t *)weir_alloc(r->arena, (count ? 2 * count : 1) * f->size);
    if (!grown) return WEIR_MEMORY;
    if (count) memcpy(grown, items, count * f->size);
    items = grown;
    memcpy(out + f->offset, &items, sizeof items);
  }
  if (f->type) weir_init(f->type, items + count * f->size);
  count += 1;
  memcpy(out + f->has, &count, sizeof count);
  return weir_read(f, r, items + (count - 1) * f->size);
}

static inline int weir_read_field(const weir_type *type, const weir_field *f, weir_reader *r, uint32_t kind, uint8_t *out) {
  uint32_t expected = weir_kind(f->form);
  if (f->rule == WEIR_REPEATED && kind == 2 && expected != 2) {
    weir_bytes bytes;
    weir_reader packed = *r;
    int error = weir_slice(r, &bytes);
    packed.at = bytes.data;
    packed.end = error ? bytes.data : bytes.data + bytes.size;
    if (error) return error;
    while (packed.at != packed.end)
      if ((error = weir_push(f, &packed, out))) return error;
    return 0;
  }
  if (kind != expected) return WEIR_KIND;
  if (f->rule == WEIR_REPEATED) return weir_push(f, r, out);
  if (f->rule == WEIR_OPTIONAL) {
    if (f->type && !*(bool *)(out + f->has)) weir_init(f->type, out + f->offset);
    *(bool *)(out + f->has) = true;
  }
  if (f->rule == WEIR_CASE) {
    if (f->type) weir_init(f->type, out + f->offset);
    memcpy(out + type->which, &f->number, sizeof f->number);
  }
  return weir_read(f, r, out + f->offset);
}

static inline int weir_merge(const weir_type *type, weir_reader *r, void *value) {
  uint8_t *out = (uint8_t *)value;
  const uint8_t *begin = r->at;
  uint32_t none = 0;
  if (type->which != WEIR_NONE) memcpy(out + type->which, &none, sizeof none);
  while (r->at != r->end) {
    const uint8_t *start = r->at;
    const weir_field *f = NULL;
    uint64_t tag = 0;
    int error = weir_varint(r, &tag);
    uint32_t kind = (uint32_t)(tag & 7);
    if (error) return error;
    if (tag >> 32 || tag >> 3 == 0 || kind == 3 || kind == 4 || kind > 5) return WEIR_TAG;
    for (size_t i = 0; i < type->count; i++)
      if (type->fields[i].number == (uint32_t)(tag >> 3)) f = &type->fields[i];
    if (f) {
      if ((error = weir_read_field(type, f, r, kind, out))) return error;
      continue;
    }
    if ((error = weir_skip(r, kind))) return error;
    if (type->unknown != WEIR_NONE && type->which == WEIR_NONE) {
      weir_bytes kept;
      size_t more = (size_t)(r->at - start);
      uint8_t *grown;
      memcpy(&kept, out + type->unknown, sizeof kept);
      grown = (uint8_t *)weir_alloc(r->arena, kept.size + more);
      if (!grown) return WEIR_MEMORY;
      if (kept.size) memcpy(grown, kept.data, kept.size);
      memcpy(grown + kept.size, start, more);
      kept.data = grown;
      kept.size += more;
      memcpy(out + type->unknown, &kept, sizeof kept);
    }
  }
  if (type->which != WEIR_NONE) {
    uint32_t which;
    memcpy(&which, out + type->which, sizeof which);
    if (which == 0) { /* no case that is known: kept as it is */
      weir_bytes kept;
      kept.data = begin;
      kept.size = (size_t)(r->end - begin);
      memcpy(out + type->unknown, &kept, sizeof kept);
    }
  }
  return 0;
}

/* All defaults: the first case of a variant, and zeros. */
static inline void weir_init(const weir_type *type, void *value) {
  uint8_t *out = (uint8_t *)value;
  memset(out, 0, type->size);
  if (type->which != WEIR_NONE && type->count) {
    memcpy(out + type->which, &type->fields[0].number, sizeof(uint32_t));
    if (type->fields[0].type) weir_init(type->fields[0].type, out + type->fields[0].offset);
    return;
  }
  for (size_t i = 0; i < type->count; i++)
    if (type->fields[i].type && type->fields[i].rule == WEIR_PLAIN)
      weir_init(type->fields[i].type, out + type->fields[i].offset);
}

/* Reads a value; text, bytes and lists in it point into `bytes` and the arena. */
static inline int weir_decode(const weir_type *type, weir_bytes bytes, weir_arena *arena, void *out) {
  weir_reader r;
  r.at = bytes.data;
  r.end = bytes.data + bytes.size;
  r.arena = arena;
  weir_init(type, out);
  return weir_merge(type, &r, out);
}

/* Bytes that are being written; `failed`: there was no memory. Begin with {0}, end with free(data). */
typedef struct { uint8_t *data; size_t size, room; bool failed; } weir_writer;

static inline void weir_put(weir_writer *w, const void *bytes, size_t size) {
  if (w->room - w->size < size) {
    size_t room = 2 * (w->size + size) + 32;
    uint8_t *grown = w->failed ? NULL : (uint8_t *)realloc(w->data, room);
    if (!grown) {
      w->failed = true;
      return;
    }
    w->data = grown;
    w->room = room;
  }
  if (size) memcpy(w->data + w->size, bytes, size);
  w->size += size;
}

static inline void weir_put_varint(weir_writer *w, uint64_t value) {
  uint8_t bytes[10];
  size_t size = 0;
  for (; value > 0x7f; value >>= 7) bytes[size++] = (uint8_t)(value | 0x80);
  bytes[size++] = (uint8_t)value;
  weir_put(w, bytes, size);
}

/* Puts the length of what was written since `begin` before it. */
static inline void weir_close_piece(weir_writer *w, size_t begin) {
  size_t size = w->size - begin, end = w->size, head;
  if (w->failed) return;
  weir_put_varint(w, size);
  if (w->failed) return;
  head = w->size - end;
  {
    uint8_t length[10];
    memcpy(length, w->data + end, head);
    memmove(w->data + begin + head, w->data + begin, size);
    memcpy(w->data + begin, length, head);
  }
}

static inline void weir_write(const weir_type *type, const void *value, weir_writer *w);

#define WEIR_LOAD(T, name) T name; memcpy(&name, in, sizeof name)
static inline uint64_t weir_zigzag(int64_t value) { return (uint64_t)value << 1 ^ (uint64_t)(value >> 63); }

static inline void weir_write_value(const weir_field *f, const void *in, weir_writer *w) {
  switch (f->form) {
    case WEIR_bool: { WEIR_LOAD(bool, value); weir_put_varint(w, value); break; }
    case WEIR_u8: { WEIR_LOAD(uint8_t, value); weir_put_varint(w, value); break; }
    case WEIR_u16: { WEIR_LOAD(uint16_t, value); weir_put_varint(w, value); break; }
    case WEIR_u32: case WEIR_char: { WEIR_LOAD(uint32_t, value); weir_put_varint(w, value); break; }
    case WEIR_u64: case WEIR_i64: { WEIR_LOAD(uint64_t, value); weir_put_varint(w, value); break; }
    case WEIR_i32: { WEIR_LOAD(int32_t, value); weir_put_varint(w, (uint64_t)(int64_t)value); break; }
    case WEIR_s8: { WEIR_LOAD(int8_t, value); weir_put_varint(w, weir_zigzag(value)); break; }
    case WEIR_s16: { WEIR_LOAD(int16_t, value); weir_put_varint(w, weir_zigzag(value)); break; }
    case WEIR_s32: { WEIR_LOAD(int32_t, value); weir_put_varint(w, weir_zigzag(value)); break; }
    case WEIR_s64: { WEIR_LOAD(int64_t, value); weir_put_varint(w, weir_zigzag(value)); break; }
    case WEIR_fixed32: case WEIR_sfixed32: case WEIR_f32: weir_put(w, in, 4); break;
    case WEIR_fixed64: case WEIR_sfixed64: case WEIR_f64: weir_put(w, in, 8); break;
    case WEIR_text_: case WEIR_bytes_: {
      WEIR_LOAD(weir_bytes, value);
      weir_put_varint(w, value.size);
      weir_put(w, value.data, value.size);
      break;
    }
    default: {
      size_t begin = w->size;
      weir_write(f->type, in, w);
      weir_close_piece(w, begin);
      break;
    }
  }
}

static inline void weir_tag(weir_writer *w, const weir_field *f, uint32_t kind) {
  weir_put_varint(w, (uint64_t)f->number << 3 | kind);
}

static inline bool weir_is_default(const weir_field *f, const uint8_t *in) {
  if (f->form == WEIR_text_ || f->form == WEIR_bytes_) return ((const weir_bytes *)(const void *)in)->size == 0;
  for (size_t i = 0; i < f->size; i++)
    if (in[i]) return false;
  return true;
}

static inline void weir_write_field(const weir_field *f, const uint8_t *in, weir_writer *w) {
  uint32_t kind = weir_kind(f->form);
  if (f->rule == WEIR_REPEATED) {
    const uint8_t *items;
    size_t count, begin;
    memcpy(&items, in + f->offset, sizeof items);
    memcpy(&count, in + f->has, sizeof count);
    if (count && kind != 2) {
      weir_tag(w, f, 2);
      begin = w->size;
      for (size_t i = 0; i < count; i++) weir_write_value(f, items + i * f->size, w);
      weir_close_piece(w, begin);
    } else {
      for (size_t i = 0; i < count; i++) {
        weir_tag(w, f, kind);
        weir_write_value(f, items + i * f->size, w);
      }
    }
    return;
  }
  if (f->rule == WEIR_OPTIONAL && !*(const bool *)(in + f->has)) return;
  if (f->rule == WEIR_PLAIN && f->form != WEIR_message && weir_is_default(f, in + f->offset)) return;
  {
    size_t begin = w->size, body;
    weir_tag(w, f, kind);
    body = w->size;
    weir_write_value(f, in + f->offset, w);
    /* A record with nothing in it is left out: only its length is there. */
    if (f->rule == WEIR_PLAIN && f->form == WEIR_message && f->type->which == WEIR_NONE && w->size == body + 1) w->size = begin;
  }
}

static inline void weir_write(const weir_type *type, const void *value, weir_writer *w) {
  const uint8_t *in = (const uint8_t *)value;
  uint32_t which = 0;
  if (type->which != WEIR_NONE) memcpy(&which, in + type->which, sizeof which);
  for (size_t i = 0; i < type->count; i++) {
    if (type->which == WEIR_NONE) weir_write_field(&type->fields[i], in, w);
    else if (type->fields[i].number == which) {
      static const bool yes = true;
      weir_tag(w, &type->fields[i], weir_kind(type->fields[i].form));
      weir_write_value(&type->fields[i], type->fields[i].size ? (const void *)(in + type->fields[i].offset) : (const void *)&yes, w);
    }
  }
  if (type->unknown != WEIR_NONE && (type->which == WEIR_NONE || which == 0)) {
    weir_bytes kept;
    memcpy(&kept, in + type->unknown, sizeof kept);
    weir_put(w, kept.data, kept.size);
  }
}

/* Copies a record of fixed size with zeros in its padding. */
static inline void weir_clean(const weir_type *type, const void *value, uint8_t *out) {
  memset(out, 0, type->size);
  for (size_t i = 0; i < type->count; i++) {
    const weir_field *f = &type->fields[i];
    const uint8_t *in = (const uint8_t *)value + f->offset;
    if (f->type) weir_clean(f->type, in, out + f->offset);
    else memcpy(out + f->offset, in, f->size);
  }
}

/* Whether bytes may be taken for such a record: bools and chars have values that they may not have. */
static inline int weir_check(const weir_type *type, const uint8_t *in) {
  for (size_t i = 0; i < type->count; i++) {
    const weir_field *f = &type->fields[i];
    uint32_t code;
    if (f->type && weir_check(f->type, in + f->offset)) return WEIR_RANGE;
    if (f->form == WEIR_bool && in[f->offset] > 1) return WEIR_RANGE;
    memcpy(&code, in + f->offset, f->form == WEIR_char ? 4 : 0);
    if (f->form == WEIR_char && (code > 0x10ffff || (code >> 11) == 0x1b)) return WEIR_RANGE;
  }
  return 0;
}

/* Keys, in the order of their values: eight bytes at most. */
static inline weir_bytes weir_number_key(uint8_t *room, uint64_t value, size_t size, bool is_signed) {
  weir_bytes key = {room, size};
  if (is_signed) value ^= (uint64_t)1 << (8 * size - 1);
  for (size_t i = 0; i < size; i++) room[i] = (uint8_t)(value >> 8 * (size - 1 - i));
  return key;
}

static inline uint64_t weir_key_number(const uint8_t *key, size_t size, bool is_signed) {
  uint64_t value = 0;
  for (size_t i = 0; i < size; i++) value = value << 8 | key[i];
  if (!is_signed) return value;
  value ^= (uint64_t)1 << (8 * size - 1);
  return (uint64_t)((int64_t)(value << (64 - 8 * size)) >> (64 - 8 * size));
}

#ifdef __wasm__
#define WEIR_IMPORT(name) __attribute__((import_module("wasi_map_v1"), import_name(#name)))
#else
#define WEIR_IMPORT(name)
#endif
WEIR_IMPORT(open) int32_t wasi_map_open(const uint8_t *name, size_t size, int64_t rights, uint32_t *handle);
WEIR_IMPORT(close) int32_t wasi_map_close(uint32_t handle);
WEIR_IMPORT(get) int32_t wasi_map_get(uint32_t handle, const uint8_t *key, size_t key_size, uint8_t *room, size_t room_size, size_t *size, uint64_t *version);
WEIR_IMPORT(set) int32_t wasi_map_set(uint32_t handle, const uint8_t *key, size_t key_size, const uint8_t *value, size_t size);
WEIR_IMPORT(delete) int32_t wasi_map_delete(uint32_t handle, const uint8_t *key, size_t key_size);
WEIR_IMPORT(exists) int32_t wasi_map_exists(uint32_t handle, const uint8_t *key, size_t key_size, uint32_t *out);
WEIR_IMPORT(compare_and_swap) int32_t wasi_map_compare_and_swap(uint32_t handle, const uint8_t *key, size_t key_size, int64_t expected, const uint8_t *value, size_t size, uint64_t *version);
WEIR_IMPORT(increment) int32_t wasi_map_increment(uint32_t handle, const uint8_t *key, size_t key_size, int64_t delta, int64_t *value);
WEIR_IMPORT(scan) int32_t wasi_map_scan(uint32_t handle, const uint8_t *prefix, size_t prefix_size, uint8_t *cursor, uint8_t *room, size_t room_size, size_t *used);
WEIR_IMPORT(watch) int32_t wasi_map_watch(uint32_t handle, const uint8_t *prefix, size_t prefix_size, uint32_t *watch);
WEIR_IMPORT(next) int32_t wasi_map_next(uint32_t watch, int64_t timeout_ms, uint8_t *room, size_t room_size, size_t *used);

enum { WEIR_READ = 1, WEIR_WRITE = 2, WEIR_DELETE = 4, WEIR_LIST = 8, WEIR_WATCH = 16 };
enum { WEIR_AGAIN = 6, WEIR_NOENT = 44, WEIR_OVERFLOW = 61 };

/* How functions of a service are called: the response to the request of a path, in the arena; 0, or the number of an error. */
typedef int weir_ask(void *self, const char *path, weir_bytes request, weir_arena *arena, weir_bytes *response);

/* Asks, and frees the request. */
static inline int weir_asked(weir_ask *ask, void *self, const char *path, weir_writer *w, weir_arena *arena, weir_bytes *response) {
  weir_bytes request;
  int error;
  request.data = w->data;
  request.size = w->size;
  response->data = NULL;
  response->size = 0;
  error = w->failed ? WEIR_MEMORY : ask(self, path, request, arena, response);
  free(w->data);
  return error;
}

/* The bytes of an entry, in the arena. */
static inline int weir_fetch(uint32_t map, weir_bytes key, weir_arena *arena, weir_bytes *value, uint64_t *version) {
  size_t room = 512;
  for (;;) {
    size_t size = 0;
    uint8_t *at = (uint8_t *)weir_alloc(arena, room);
    int error = at ? wasi_map_get(map, key.data, key.size, at, room, &size, version) : WEIR_MEMORY;
    if (error != WEIR_OVERFLOW || size <= room) {
      value->data = at;
      value->size = size;
      return error;
    }
    room = size;
  }
}

/* A scan: begin with the map and prefix, zeros for the rest. */
typedef struct {
  uint32_t map;
  weir_bytes prefix;
  weir_arena *arena;
  uint8_t cursor[16];
  weir_bytes page;
  size_t at;
  bool is_last;
} weir_scan;

/* The next entry's key, value and version: 0, WEIR_NOENT at the end, or what went wrong. */
static inline int weir_scan_next(weir_scan *scan, weir_bytes *key, weir_bytes *value, uint64_t *version) {
  static const uint8_t none[16] = {0};
  size_t room = 4096;
  uint32_t sizes[2];
  while (scan->page.size - scan->at < 16) {
    size_t used = 0;
    uint8_t *at;
    int error;
    if (scan->is_last) return WEIR_NOENT;
    at = (uint8_t *)weir_alloc(scan->arena, room);
    error = at ? wasi_map_scan(scan->map, scan->prefix.data, scan->prefix.size, scan->cursor, at, room, &used) : WEIR_MEMORY;
    if (error == WEIR_OVERFLOW && used > room) {
      room = used;
      continue;
    }
    if (error) return error;
    scan->page.data = at;
    scan->page.size = used;
    scan->at = 0;
    scan->is_last = memcmp(scan->cursor, none, 16) == 0;
  }
  memcpy(sizes, scan->page.data + scan->at, 8);
  memcpy(version, scan->page.data + scan->at + 8, 8);
  if ((uint64_t)sizes[0] + sizes[1] > scan->page.size - scan->at - 16) return WEIR_SHORT;
  key->data = scan->page.data + scan->at + 16;
  key->size = sizes[0];
  value->data = key->data + sizes[0];
  value->size = sizes[1];
  scan->at += (16 + (size_t)sizes[0] + sizes[1] + 7) & ~(size_t)7;
  if (scan->at > scan->page.size) scan->at = scan->page.size;
  return 0;
}

#ifdef __cplusplus
}
#endif
#endif
