// Shared maps for WebAssembly modules: the guest's side of WASI-Map, for C++17 without exceptions.
//
// Classes over wasi_map.h: handles close themselves, answers are results that hold a value or an
// error. Needs the standard library's headers (libc++ for wasm32-wasi):
//
//     clang++ --target=wasm32-wasi -mexec-model=reactor -std=c++17 -fno-exceptions -O2
//         -I sdk/c -I sdk/cpp -o guest.wasm guest.cpp
//
//     auto visits = wasi_map::map::open("visits", wasi_map::rights::read | wasi_map::rights::write);
//     if (!visits) return visits.error().number();
//     auto count = visits->increment("/index.html", 1);
#ifndef WASI_MAP_HPP
#define WASI_MAP_HPP

#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "wasi_map.h"

// Memory for values that the host hands over; 0 for no bytes.
extern "C" WASI_MAP_EXPORT("wasi_map_alloc") __attribute__((used)) inline void *wasi_map_alloc(
    std::size_t len) {
  return len == 0 ? nullptr : std::malloc(len);
}

namespace wasi_map {

using std::chrono::milliseconds;

// Why the host refused an operation. Whatever fails has changed nothing.
enum class errc : std::int32_t {
  again = WASI_MAP_AGAIN,
  bad_handle = WASI_MAP_BADF,
  exists = WASI_MAP_EXIST,
  fault = WASI_MAP_FAULT,
  invalid = WASI_MAP_INVAL,
  io = WASI_MAP_IO,
  name_too_long = WASI_MAP_NAMETOOLONG,
  no_entry = WASI_MAP_NOENT,
  no_memory = WASI_MAP_NOMEM,
  no_space = WASI_MAP_NOSPC,
  not_supported = WASI_MAP_NOTSUP,
  overflow = WASI_MAP_OVERFLOW,
  stale = WASI_MAP_STALE,
  timed_out = WASI_MAP_TIMEDOUT,
  not_capable = WASI_MAP_NOTCAPABLE,
};

struct error {
  errc code;
  // Of again the version that the entry has, of overflow the bytes needed; else 0.
  std::uint64_t detail = 0;

  std::int32_t number() const { return static_cast<std::int32_t>(code); }
};

inline bool operator==(const error &one, errc code) { return one.code == code; }
inline bool operator!=(const error &one, errc code) { return one.code != code; }

// A value or an error. Whoever takes the value of an error ends the module with a trap.
template <class T>
class [[nodiscard]] result {
 public:
  result(T value) : held_(std::in_place_index<0>, std::move(value)) {}
  result(wasi_map::error error) : held_(std::in_place_index<1>, error) {}

  explicit operator bool() const { return held_.index() == 0; }
  bool has_value() const { return held_.index() == 0; }

  T &value() & { return *checked(); }
  const T &value() const & { return *const_cast<result *>(this)->checked(); }
  T &&value() && { return std::move(*checked()); }
  T &operator*() & { return value(); }
  const T &operator*() const & { return value(); }
  T &&operator*() && { return std::move(*this).value(); }
  T *operator->() { return checked(); }
  const T *operator->() const { return const_cast<result *>(this)->checked(); }

  template <class U>
  T value_or(U &&other) const & {
    return has_value() ? value() : static_cast<T>(std::forward<U>(other));
  }

  wasi_map::error error() const {
    const auto *held = std::get_if<1>(&held_);
    if (held == nullptr) __builtin_trap();
    return *held;
  }

 private:
  T *checked() {
    auto *held = std::get_if<0>(&held_);
    if (held == nullptr) __builtin_trap();
    return held;
  }

  std::variant<T, wasi_map::error> held_;
};

template <>
class [[nodiscard]] result<void> {
 public:
  result() = default;
  result(wasi_map::error error) : error_(error) {}

  explicit operator bool() const { return !error_; }
  bool has_value() const { return !error_; }

  wasi_map::error error() const {
    if (!error_) __builtin_trap();
    return *error_;
  }

 private:
  std::optional<wasi_map::error> error_;
};

// What a handle allows.
enum class rights : std::uint64_t {
  none = 0,
  read = WASI_MAP_READ,
  write = WASI_MAP_WRITE,
  remove = WASI_MAP_DELETE,
  list = WASI_MAP_LIST,
  watch = WASI_MAP_WATCH,
  create = WASI_MAP_CREATE,
  share = WASI_MAP_SHARE,
  map_read = WASI_MAP_MAP_READ,
  map_write = WASI_MAP_MAP_WRITE,
  clear = WASI_MAP_CLEAR,
  all = WASI_MAP_ALL,
};

constexpr rights operator|(rights one, rights other) {
  return static_cast<rights>(static_cast<std::uint64_t>(one) | static_cast<std::uint64_t>(other));
}
constexpr rights operator&(rights one, rights other) {
  return static_cast<rights>(static_cast<std::uint64_t>(one) & static_cast<std::uint64_t>(other));
}

using ticket = wasi_map_ticket;
using options = wasi_map_options;
using numbers = wasi_map_stat_t;

// A value and its version.
struct entry {
  std::string value;
  std::uint64_t version;
};

// A value of a type of one's own, and its version.
template <class T>
struct typed {
  T value;
  std::uint64_t version;
};

// An entry of a scan. Without a value: it refers to a map, or is a region.
struct item {
  std::string key;
  std::optional<std::string> value;
  std::uint64_t version;
  bool is_region;
};

// What must hold of an entry, and how long it lasts.
class terms {
 public:
  static terms if_absent() { return terms(WASI_MAP_IF_ABSENT, 0); }
  static terms if_version(std::uint64_t version) { return terms(WASI_MAP_IF_VERSION, version); }
  static terms lasting(milliseconds ttl) { return terms(0, 0).and_lasting(ttl); }
  terms() : terms(0, 0) {}

  terms and_lasting(milliseconds ttl) const {
    terms longer = *this;
    longer.raw_.flags |= WASI_MAP_TTL;
    longer.raw_.ttl_ms = ttl.count() < 0 ? 0 : static_cast<std::uint64_t>(ttl.count());
    return longer;
  }

  const wasi_map_terms &raw() const { return raw_; }

 private:
  terms(std::uint32_t flags, std::uint64_t version) : raw_{flags, 0, version, 0} {}

  wasi_map_terms raw_;
};

namespace detail {

inline result<void> check(std::int32_t number) {
  if (number == WASI_MAP_SUCCESS) return {};
  return error{static_cast<errc>(number)};
}

// Again comes with a version, overflow with a size.
inline error with_detail(std::int32_t number, std::uint64_t version, std::uint64_t size) {
  const auto code = static_cast<errc>(number);
  if (code == errc::again) return {code, version};
  return {code, code == errc::overflow ? size : 0};
}

// No entry is an answer, and no error.
template <class T>
result<std::optional<T>> maybe(result<T> found) {
  if (found) return std::optional<T>(std::move(*found));
  if (found.error() == errc::no_entry) return std::optional<T>();
  return found.error();
}

}  // namespace detail

// A value in memory of this module, as the host has filled it. Frees it at the end.
class buffer {
 public:
  buffer(void *at, std::size_t size, std::uint64_t version)
      : at_(static_cast<char *>(at)), size_(size), version_(version) {}
  buffer(buffer &&other) noexcept { swap(other); }
  buffer &operator=(buffer &&other) noexcept {
    swap(other);
    return *this;
  }
  ~buffer() { std::free(at_); }

  std::string_view view() const { return {at_, size_}; }
  std::uint64_t version() const { return version_; }

 private:
  void swap(buffer &other) {
    std::swap(at_, other.at_);
    std::swap(size_, other.size_);
    std::swap(version_, other.version_);
  }

  char *at_ = nullptr;
  std::size_t size_ = 0;
  std::uint64_t version_ = 0;
};

// What an operation of a batch did: see wasi_map_done.
using done = wasi_map_done;

// Operations that are done in their order, as one step or not at all. Keys and values must live
// until it is run.
class batch {
 public:
  batch &check(std::string_view key, const terms &terms) {
    return push(WASI_MAP_OP_CHECK, key, {}, terms.raw());
  }
  batch &set(std::string_view key, std::string_view value, const terms &terms = {}) {
    return push(WASI_MAP_OP_SET, key, value, terms.raw());
  }
  batch &remove(std::string_view key) { return push(WASI_MAP_OP_DELETE, key, {}, {}); }
  batch &increment(std::string_view key, std::int64_t delta) {
    const wasi_map_terms amount{0, 0, static_cast<std::uint64_t>(delta), 0};
    return push(WASI_MAP_OP_INCREMENT, key, {}, amount);
  }

  const std::vector<wasi_map_op> &ops() const { return ops_; }

 private:
  batch &push(std::uint32_t kind, std::string_view key, std::string_view value,
              const wasi_map_terms &terms) {
    ops_.push_back({kind, terms.flags, key.data(), key.size(), value.data(), value.size(),
                    terms.version, terms.ttl_ms});
    return *this;
  }

  std::vector<wasi_map_op> ops_;
};

// What a watch tells.
struct change {
  wasi_map_change_kind kind;
  std::string key;  // Of an entry.
  std::uint64_t version;
};

// Follows the changes of a map, and ends with this object.
class watch {
 public:
  explicit watch(wasi_map_watch_id id) : id_(id) {}
  watch(watch &&other) noexcept
      : id_(std::exchange(other.id_, 0)), page_(std::move(other.page_)), read_(other.read_) {}
  watch &operator=(watch &&other) noexcept {
    std::swap(id_, other.id_);
    std::swap(page_, other.page_);
    std::swap(read_, other.read_);
    return *this;
  }
  ~watch() {
    if (id_ != 0) static_cast<void>(wasi_map_unwatch(id_));
  }

  wasi_map_watch_id id() const { return id_; }

  // The next change if one is there.
  result<std::optional<change>> poll() { return ask(0); }

  // The next change, waited for; none: the time was up, or the module cannot wait, as a filter.
  result<std::optional<change>> next(milliseconds time) {
    return ask(time.count() < 1 ? 1 : time.count());
  }

 private:
  result<std::optional<change>> ask(std::int64_t timeout_ms) {
    if (read_ >= page_.size()) {
      page_.resize(4096);
      std::size_t used = 0;
      std::int32_t number;
      while ((number = wasi_map_next(id_, timeout_ms, page_.data(), page_.size(), &used)) ==
                 WASI_MAP_OVERFLOW &&
             used > page_.size()) {
        page_.resize(used);
      }
      page_.resize(number == WASI_MAP_SUCCESS ? used : 0);
      read_ = 0;
      if (number == WASI_MAP_AGAIN || number == WASI_MAP_TIMEDOUT) return std::optional<change>();
      if (number != WASI_MAP_SUCCESS) return error{static_cast<errc>(number)};
      if (page_.empty()) return std::optional<change>();
    }
    wasi_map_change head;
    if (page_.size() - read_ < sizeof head) return error{errc::io};
    std::memcpy(&head, &page_[read_], sizeof head);
    if (page_.size() - read_ - sizeof head < head.key_len) return error{errc::io};
    std::string key(&page_[read_ + sizeof head], head.key_len);
    read_ += wasi_map_packed_len(head.key_len, 0);
    const auto kind = static_cast<wasi_map_change_kind>(head.kind);
    return std::optional<change>(change{kind, std::move(key), head.version});
  }

  wasi_map_watch_id id_;
  std::string page_;
  std::size_t read_ = 0;
};

class map;

// Lists entries in the order of their keys, a page at a time. An entry that is there all the time,
// unchanged, is listed exactly once. The map must outlive it.
class scan {
 public:
  scan(const map &map, std::string_view prefix) : map_(&map), prefix_(prefix) {}

  // The next entry; none: that was all. On errc::stale begin again.
  inline result<std::optional<item>> next();

 private:
  inline result<void> turn();

  const map *map_;
  std::string prefix_;
  wasi_map_cursor cursor_{};
  std::string page_;
  std::size_t used_ = 0;
  std::size_t read_ = 0;
  bool over_ = false;
};

// A mapping of a region, taken away at the end. The map must outlive it.
class mapping {
 public:
  mapping(void *at, std::size_t size) : at_(static_cast<char *>(at)), size_(size) {}
  mapping(mapping &&other) noexcept
      : at_(std::exchange(other.at_, nullptr)), size_(std::exchange(other.size_, 0)) {}
  mapping &operator=(mapping &&other) noexcept {
    std::swap(at_, other.at_);
    std::swap(size_, other.size_);
    return *this;
  }
  ~mapping() {
    if (at_ != nullptr) static_cast<void>(wasi_map_region_unmap(at_, size_));
  }

  char *data() const { return at_; }
  std::size_t size() const { return size_; }
  std::string_view view() const { return {at_, size_}; }

 private:
  char *at_;
  std::size_t size_;
};

// A handle to a map. Closes itself.
class map {
 public:
  // A map that the configuration grants by this name.
  static result<map> open(std::string_view name, rights wanted) {
    wasi_map_handle handle = 0;
    return made(wasi_map_open(name.data(), name.size(), bits(wanted), &handle), handle);
  }
  // A map of one's own, with all rights.
  static result<map> create(const options &how = {}) {
    wasi_map_handle handle = 0;
    return made(wasi_map_create(&how, &handle), handle);
  }
  // A map that another module has lent or moved here.
  static result<map> accept(const ticket &from) {
    wasi_map_handle handle = 0;
    return made(wasi_map_accept(&from, &handle), handle);
  }

  explicit map(wasi_map_handle handle) : handle_(handle) {}
  map(map &&other) noexcept : handle_(std::exchange(other.handle_, 0)) {}
  map &operator=(map &&other) noexcept {
    std::swap(handle_, other.handle_);
    return *this;
  }
  ~map() {
    if (handle_ != 0) static_cast<void>(wasi_map_close(handle_));
  }

  wasi_map_handle handle() const { return handle_; }
  // The handle, which nobody closes any more.
  wasi_map_handle release() { return std::exchange(handle_, 0); }
  // Closes it, and tells whether that worked.
  result<void> close() { return detail::check(wasi_map_close(release())); }

  result<map> duplicate(rights wanted) const {
    wasi_map_handle handle = 0;
    return made(wasi_map_dup(handle_, bits(wanted), &handle), handle);
  }
  // Lends the map to a filter or function of the configuration, until this handle is closed or the
  // request ends.
  result<ticket> lend(rights lent, std::string_view to) const {
    ticket made{};
    return of(wasi_map_lend(handle_, bits(lent), to.data(), to.size(), &made), made);
  }
  // Moves the map there. If that is refused, it is still here.
  result<ticket> transfer(std::string_view to) {
    ticket made{};
    const auto number = wasi_map_transfer(handle_, to.data(), to.size(), &made);
    if (number == WASI_MAP_SUCCESS) release();
    return of(number, made);
  }
  result<rights> allowed() const {
    std::uint64_t held = 0;
    return of(wasi_map_rights(handle_, &held), static_cast<rights>(held));
  }
  result<numbers> stat() const {
    numbers told{};
    const auto number = wasi_map_stat(handle_, &told);
    return of(number, told);
  }

  // Value and version of a key, if there is one.
  result<std::optional<entry>> get(std::string_view key) const {
    std::string value(256, '\0');
    std::size_t size = 0;
    std::uint64_t version = 0;
    std::int32_t number;
    while ((number = wasi_map_get(handle_, key.data(), key.size(), value.data(), value.size(),
                                  &size, &version)) == WASI_MAP_OVERFLOW &&
           size > value.size()) {
      value.resize(size);
    }
    value.resize(number == WASI_MAP_SUCCESS ? size : 0);
    return detail::maybe(of(number, entry{std::move(value), version}));
  }
  // The same in memory that the host fills once, for large values.
  result<std::optional<buffer>> get_buffer(std::string_view key) const {
    void *at = nullptr;
    std::size_t size = 0;
    std::uint64_t version = 0;
    const auto number =
        wasi_map_get_alloc(handle_, key.data(), key.size(), &at, &size, &version);
    return detail::maybe(of(number, buffer(at, size, version)));
  }
  // A value of exactly this type, byte for byte; of another size: errc::invalid.
  template <class T>
  result<std::optional<typed<T>>> get_as(std::string_view key) const {
    static_assert(std::is_trivially_copyable_v<T>, "its bytes must be all there is to it");
    typed<T> found{};
    std::size_t size = 0;
    const auto number = wasi_map_get(handle_, key.data(), key.size(), &found.value,
                                     sizeof found.value, &size, &found.version);
    const bool answered = number == WASI_MAP_SUCCESS || number == WASI_MAP_OVERFLOW;
    const bool other = answered && size != sizeof found.value;
    return detail::maybe(of(other ? std::int32_t{WASI_MAP_INVAL} : number, found));
  }
  result<bool> exists(std::string_view key) const {
    std::uint32_t there = 0;
    return of(wasi_map_exists(handle_, key.data(), key.size(), &there), there != 0);
  }

  result<void> set(std::string_view key, std::string_view value) const {
    return detail::check(
        wasi_map_set(handle_, key.data(), key.size(), value.data(), value.size()));
  }
  // Stores on terms, and answers the version.
  result<std::uint64_t> set(std::string_view key, std::string_view value,
                            const terms &terms) const {
    std::uint64_t version = 0;
    return versioned(wasi_map_set_with(handle_, key.data(), key.size(), value.data(),
                                       value.size(), &terms.raw(), &version),
                     version);
  }
  template <class T>
  result<void> set_as(std::string_view key, const T &value) const {
    static_assert(std::is_trivially_copyable_v<T>, "its bytes must be all there is to it");
    return detail::check(wasi_map_set(handle_, key.data(), key.size(), &value, sizeof value));
  }
  // Removes an entry, and answers whether it was there.
  result<bool> remove(std::string_view key) const {
    const auto number = wasi_map_delete(handle_, key.data(), key.size());
    if (number == WASI_MAP_NOENT) return false;
    return of(number, true);
  }
  // Stores if the entry has the expected version, 0: if there is none. Answers the new version; the
  // error again has the one that the entry has.
  result<std::uint64_t> compare_and_swap(std::string_view key, std::uint64_t expected,
                                         std::string_view value) const {
    std::uint64_t version = 0;
    return versioned(wasi_map_compare_and_swap(handle_, key.data(), key.size(), expected,
                                               value.data(), value.size(), &version),
                     version);
  }
  // Adds to a counter, and answers the sum.
  result<std::int64_t> increment(std::string_view key, std::int64_t delta) const {
    std::int64_t sum = 0;
    const auto number = wasi_map_increment(handle_, key.data(), key.size(), delta, &sum);
    return of(number, sum);
  }

  wasi_map::scan scan(std::string_view prefix = {}) const { return {*this, prefix}; }
  // What each operation did.
  result<std::vector<done>> run(const batch &batch) const {
    std::vector<done> results(batch.ops().size());
    const auto number =
        wasi_map_batch(handle_, batch.ops().data(), results.size(), results.data());
    return of(number, std::move(results));
  }
  result<void> clear() const { return detail::check(wasi_map_clear(handle_)); }
  result<wasi_map::watch> watch(std::string_view prefix = {}) const {
    wasi_map_watch_id id = 0;
    const auto number = wasi_map_watch(handle_, prefix.data(), prefix.size(), &id);
    return of(number, wasi_map::watch(id));
  }

  // Lets an entry refer to another map.
  result<void> put_map(std::string_view key, const map &child) const {
    return detail::check(wasi_map_put_map(handle_, key.data(), key.size(), child.handle_));
  }
  result<std::optional<map>> get_map(std::string_view key) const {
    wasi_map_handle child = 0;
    const auto number = wasi_map_get_map(handle_, key.data(), key.size(), &child);
    return detail::maybe(made(number, child));
  }

  // Makes a region of zeros.
  result<void> create_region(std::string_view key, std::uint64_t size) const {
    return detail::check(wasi_map_region_create(handle_, key.data(), key.size(), size));
  }
  // Maps a part of it, from a multiple of 64 KiB on; prot is WASI_MAP_PROT_READ, perhaps | WASI_MAP_PROT_WRITE.
  result<mapping> map_region(std::string_view key, std::uint64_t offset, std::size_t size,
                             std::uint32_t prot) const {
    void *at = nullptr;
    const auto number =
        wasi_map_region_map(handle_, key.data(), key.size(), offset, size, prot, &at);
    return of(number, mapping(at, size));
  }

 private:
  static std::uint64_t bits(rights wanted) { return static_cast<std::uint64_t>(wanted); }
  static result<map> made(std::int32_t number, wasi_map_handle handle) {
    return of(number, map(handle));
  }
  template <class T>
  static result<T> of(std::int32_t number, T value) {
    if (number == WASI_MAP_SUCCESS) return value;
    return error{static_cast<errc>(number)};
  }
  static result<std::uint64_t> versioned(std::int32_t number, std::uint64_t version) {
    if (number == WASI_MAP_SUCCESS) return version;
    return detail::with_detail(number, version, 0);
  }

  wasi_map_handle handle_;
};

inline result<void> scan::turn() {
  if (page_.empty()) page_.resize(4096);
  std::int32_t number;
  while ((number = wasi_map_scan(map_->handle(), prefix_.data(), prefix_.size(), &cursor_,
                                 page_.data(), page_.size(), &used_)) == WASI_MAP_OVERFLOW &&
         used_ > page_.size()) {
    page_.resize(used_);
  }
  read_ = 0;
  if (number != WASI_MAP_SUCCESS) used_ = 0;
  static const wasi_map_cursor zeros{};
  over_ = number != WASI_MAP_SUCCESS || std::memcmp(&cursor_, &zeros, sizeof zeros) == 0;
  return detail::check(number);
}

inline result<std::optional<item>> scan::next() {
  while (read_ >= used_) {
    if (over_) return std::optional<item>();
    const auto turned = turn();
    if (!turned) return turned.error();
  }
  wasi_map_item head;
  if (used_ - read_ < sizeof head) return error{errc::io};
  std::memcpy(&head, &page_[read_], sizeof head);
  const bool has_value = head.value_len < WASI_MAP_IS_REGION;
  const std::size_t value_len = has_value ? head.value_len : 0;
  if (used_ - read_ - sizeof head < head.key_len + value_len) return error{errc::io};
  const char *at = &page_[read_ + sizeof head];
  const bool is_region = head.value_len == WASI_MAP_IS_REGION;
  item next{std::string(at, head.key_len), std::nullopt, head.version, is_region};
  if (has_value) next.value.emplace(at + head.key_len, value_len);
  read_ += wasi_map_packed_len(head.key_len, value_len);
  return std::optional<item>(std::move(next));
}

}  // namespace wasi_map

#endif
