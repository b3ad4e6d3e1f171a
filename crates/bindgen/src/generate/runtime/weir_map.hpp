// Written by `weir bindgen`; do not edit. What generated maps stand on.
#ifndef WEIR_MAP_HPP
#define WEIR_MAP_HPP

#include "weir_codec.hpp"

#ifdef __wasm__
#define WEIR_IMPORT(name) __attribute__((import_module("wasi_map_v1"), import_name(#name)))
#else
#define WEIR_IMPORT(name)
#endif
extern "C" {
WEIR_IMPORT(open) std::int32_t wasi_map_open(const std::uint8_t *name, std::size_t size, std::int64_t rights, std::uint32_t *handle);
WEIR_IMPORT(close) std::int32_t wasi_map_close(std::uint32_t handle);
WEIR_IMPORT(get) std::int32_t wasi_map_get(std::uint32_t handle, const std::uint8_t *key, std::size_t key_size, std::uint8_t *room, std::size_t room_size, std::size_t *size, std::uint64_t *version);
WEIR_IMPORT(set) std::int32_t wasi_map_set(std::uint32_t handle, const std::uint8_t *key, std::size_t key_size, const std::uint8_t *value, std::size_t size);
WEIR_IMPORT(set_with) std::int32_t wasi_map_set_with(std::uint32_t handle, const std::uint8_t *key, std::size_t key_size, const std::uint8_t *value, std::size_t size, const std::uint64_t *options, std::uint64_t *version);
WEIR_IMPORT(delete) std::int32_t wasi_map_delete(std::uint32_t handle, const std::uint8_t *key, std::size_t key_size);
WEIR_IMPORT(exists) std::int32_t wasi_map_exists(std::uint32_t handle, const std::uint8_t *key, std::size_t key_size, std::uint32_t *out);
WEIR_IMPORT(compare_and_swap) std::int32_t wasi_map_compare_and_swap(std::uint32_t handle, const std::uint8_t *key, std::size_t key_size, std::int64_t expected, const std::uint8_t *value, std::size_t size, std::uint64_t *version);
WEIR_IMPORT(increment) std::int32_t wasi_map_increment(std::uint32_t handle, const std::uint8_t *key, std::size_t key_size, std::int64_t delta, std::int64_t *value);
WEIR_IMPORT(scan) std::int32_t wasi_map_scan(std::uint32_t handle, const std::uint8_t *prefix, std::size_t prefix_size, std::uint8_t *cursor, std::uint8_t *room, std::size_t room_size, std::size_t *used);
}
#undef WEIR_IMPORT

namespace weir {

namespace rights {
constexpr std::int64_t read = 1, write = 2, remove = 4, list = 8, watch = 16;
}

namespace errors {
constexpr std::int32_t again = 6, bad_handle = 8, no_entry = 44, overflow = 61;
}

// Keys, whose bytes are in the order of their values.

struct TextKey {
  using type = std::string;
  static std::string to_bytes(std::string_view key) { return std::string(key); }
  static bool from_bytes(std::string_view bytes, type &out) {
    out = bytes;
    return is_utf8(bytes);
  }
};

struct BytesKey {
  using type = std::string;
  static std::string to_bytes(std::string_view key) { return std::string(key); }
  static bool from_bytes(std::string_view bytes, type &out) {
    out = bytes;
    return true;
  }
};

struct BoolKey {
  using type = bool;
  static std::string to_bytes(bool key) { return std::string(1, key ? '\1' : '\0'); }
  static bool from_bytes(std::string_view bytes, type &out) {
    if (bytes.size() != 1 || static_cast<std::uint8_t>(bytes[0]) > 1) return false;
    out = bytes[0] != 0;
    return true;
  }
};

template <class T>
struct IntKey {
  using type = T;
  using Bits = std::make_unsigned_t<T>;
  static constexpr Bits turned = std::is_signed_v<T> ? Bits{1} << (8 * sizeof(T) - 1) : 0;
  static std::string to_bytes(T key) {
    const auto bits = static_cast<std::uint64_t>(static_cast<Bits>(static_cast<Bits>(key) ^ turned));
    std::string out;
    for (std::size_t at = sizeof(T); at-- != 0;) out.push_back(static_cast<char>(bits >> 8 * at));
    return out;
  }
  static bool from_bytes(std::string_view bytes, type &out) {
    std::uint64_t bits = 0;
    for (const char byte : bytes) bits = bits << 8 | static_cast<std::uint8_t>(byte);
    out = static_cast<T>(static_cast<Bits>(bits) ^ turned);
    return bytes.size() == sizeof(T);
  }
};

// A typed map of this use of the module: closes itself.
template <class D>
class Map {
 public:
  using Key = typename D::Key::type;
  using Value = typename D::Value;
  struct Found {
    Value value{};
    std::uint64_t version = 0;
  };
  struct Entry {
    Key key{};
    Value value{};
    std::uint64_t version = 0;
  };

  Map() = default;
  Map(Map &&other) noexcept : handle_(std::exchange(other.handle_, 0)) {}
  Map &operator=(Map &&other) noexcept {
    std::swap(handle_, other.handle_);
    return *this;
  }
  ~Map() {
    if (handle_ != 0) wasi_map_close(handle_);
  }

  static Result<Map> open(std::int64_t rights) {
    const std::string_view name = D::name;
    Result<Map> map;
    map.error.number = wasi_map_open(bytes(name), name.size(), rights, &map->handle_);
    return map;
  }

  // Nothing if there is no such entry.
  Result<std::optional<Found>> get(const Key &key) const {
    Result<std::optional<Found>> out;
    const std::string at = D::Key::to_bytes(key);
    std::string room(512, '\0');
    Found found;
    for (;;) {
      std::size_t size = 0;
      out.error.number = wasi_map_get(handle_, bytes(at), at.size(), bytes(room), room.size(), &size, &found.version);
      if (out.error.number == errors::overflow && size > room.size()) {
        room.resize(size);
        continue;
      }
      if (out.error.number == errors::no_entry) return {};
      if (!out.error) out.error = D::decode(std::string_view(room).substr(0, size), found.value);
      if (!out.error) out.value.emplace(std::move(found));
      return out;
    }
  }

  Error set(const Key &key, const Value &value) {
    const std::string at = D::Key::to_bytes(key), stored = D::encode(value);
    return Error{wasi_map_set(handle_, bytes(at), at.size(), bytes(stored), stored.size())};
  }

  // Stores a value that ends after some milliseconds; the new version.
  Result<std::uint64_t> set_for(const Key &key, const Value &value, std::uint64_t ttl_ms) {
    const std::string at = D::Key::to_bytes(key), stored = D::encode(value);
    const std::uint64_t options[3] = {4, 0, ttl_ms};
    Result<std::uint64_t> out;
    out.error.number = wasi_map_set_with(handle_, bytes(at), at.size(), bytes(stored), stored.size(), options, &*out);
    return out;
  }

  // The new version; with the error `again` the value is the version that the entry has.
  Result<std::uint64_t> compare_and_swap(const Key &key, std::uint64_t expected, const Value &value) {
    const std::string at = D::Key::to_bytes(key), stored = D::encode(value);
    Result<std::uint64_t> out;
    out.error.number = wasi_map_compare_and_swap(handle_, bytes(at), at.size(), static_cast<std::int64_t>(expected), bytes(stored), stored.size(), &*out);
    return out;
  }

  // Whether there was one.
  Result<bool> remove(const Key &key) {
    const std::string at = D::Key::to_bytes(key);
    const std::int32_t number = wasi_map_delete(handle_, bytes(at), at.size());
    return {number == 0, Error{number == errors::no_entry ? 0 : number}};
  }

  Result<bool> exists(const Key &key) const {
    const std::string at = D::Key::to_bytes(key);
    std::uint32_t is_there = 0;
    const std::int32_t number = wasi_map_exists(handle_, bytes(at), at.size(), &is_there);
    return {is_there != 0, Error{number}};
  }

  // Adds to a counter, which begins at 0, and says what it is then.
  Result<std::int64_t> increment(const Key &key, std::int64_t delta) {
    static_assert(std::is_same_v<Value, std::int64_t>, "only maps of s64 count");
    const std::string at = D::Key::to_bytes(key);
    Result<std::int64_t> out;
    out.error.number = wasi_map_increment(handle_, bytes(at), at.size(), delta, &*out);
    return out;
  }

  // All entries whose keys begin with these bytes, in the order of their keys.
  Result<std::vector<Entry>> scan(std::string_view prefix = {}) const {
    Result<std::vector<Entry>> out;
    std::uint8_t cursor[16] = {};
    std::string room(4096, '\0');
    for (;;) {
      std::size_t used = 0;
      out.error.number = wasi_map_scan(handle_, bytes(prefix), prefix.size(), cursor, bytes(room), room.size(), &used);
      if (out.error.number == errors::overflow && used > room.size()) {
        room.resize(used);
        continue;
      }
      if (!out.error) out.error = page(std::string_view(room).substr(0, used), out.value);
      if (out.error || is_zero(cursor)) return out;
    }
  }

 private:
  static const std::uint8_t *bytes(std::string_view text) {
    return reinterpret_cast<const std::uint8_t *>(text.data());
  }
  static std::uint8_t *bytes(std::string &room) { return reinterpret_cast<std::uint8_t *>(room.data()); }
  static bool is_zero(const std::uint8_t (&cursor)[16]) {
    for (const auto byte : cursor)
      if (byte != 0) return false;
    return true;
  }

  // Entries are {u32 klen, u32 vlen, u64 version, key, value}, each padded to 8.
  static Error page(std::string_view page, std::vector<Entry> &out) {
    while (page.size() >= 16) {
      std::uint32_t sizes[2];
      Entry entry;
      std::memcpy(sizes, page.data(), 8);
      std::memcpy(&entry.version, page.data() + 8, 8);
      const std::uint64_t size = std::uint64_t{16} + sizes[0] + sizes[1];
      if (size > page.size()) return Error{kShort};
      if (!D::Key::from_bytes(page.substr(16, sizes[0]), entry.key)) return Error{kRange};
      if (const Error error = D::decode(page.substr(16 + sizes[0], sizes[1]), entry.value)) return error;
      out.push_back(std::move(entry));
      const auto padded = static_cast<std::size_t>((size + 7) & ~std::uint64_t{7});
      page.remove_prefix(padded < page.size() ? padded : page.size());
    }
    return {};
  }

  std::uint32_t handle_ = 0;
};

// A function of a service for those who have bytes: they become a value, the answer bytes again.
template <class Input, class Function>
Result<std::string> serve(std::string_view request, Function function) {
  Input input;
  if (const Error error = decode(request, input)) return {{}, error};
  const auto output = function(input);
  if (!output) return {{}, output.error};
  return {encode(output.value), {}};
}

// The other side of it.
template <class Output, class Call, class Input>
Result<Output> ask(Call &call, std::string_view path, const Input &request) {
  const Result<std::string> answer = call(path, encode(request));
  Result<Output> out;
  out.error = answer ? decode(answer.value, out.value) : answer.error;
  return out;
}

}  // namespace weir
#endif
