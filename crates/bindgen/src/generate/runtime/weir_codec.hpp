// Written by `weir bindgen`; do not edit. How generated types are read and written. C++17, also
// without exceptions and run-time types.
#ifndef WEIR_CODEC_HPP
#define WEIR_CODEC_HPP

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

namespace weir {

// What a call says: 0, a number of WASI (6 again, 44 noent, ...), or why bytes are no value.
enum : std::int32_t {
  kShort = -1,
  kLongNumber = -2,
  kTag = -3,
  kKind = -4,
  kUtf8 = -5,
  kRange = -6,
  kLength = -7,
};

// What went wrong, and in which field (0: none). True if something did.
struct Error {
  std::int32_t number = 0;
  std::uint32_t field = 0;

  explicit operator bool() const { return number != 0; }
};

// A value, or why there is none. True if there is one.
template <class T>
struct [[nodiscard]] Result {
  T value{};
  Error error{};

  explicit operator bool() const { return !error; }
  T &operator*() { return value; }
  T *operator->() { return &value; }
};

// A case without a value.
struct Unit {};
inline bool operator==(Unit, Unit) { return true; }

// A case that a newer schema has: its bytes.
struct Unknown {
  std::string bytes;
};
inline bool operator==(const Unknown &a, const Unknown &b) { return a.bytes == b.bytes; }

inline bool is_char(std::uint64_t code) { return code <= 0x10ffff && code >> 11 != 0x1b; }

inline bool is_utf8(std::string_view text) {
  std::size_t at = 0;
  while (at < text.size()) {
    const auto first = static_cast<std::uint8_t>(text[at++]);
    if (first < 0x80) continue;
    if (first < 0xc2 || first > 0xf4) return false;
    const std::size_t more = first < 0xe0 ? 1 : first < 0xf0 ? 2 : 3;
    if (more > text.size() - at) return false;
    std::uint32_t code = first & (0x3f >> more);
    for (std::size_t left = more; left != 0; left--) {
      const auto byte = static_cast<std::uint8_t>(text[at++]);
      if ((byte & 0xc0) != 0x80) return false;
      code = code << 6 | (byte & 0x3f);
    }
    if ((more == 2 && code < 0x800) || (more == 3 && code < 0x10000) || !is_char(code)) return false;
  }
  return true;
}

// Bytes that are being read. After an error nothing more is read.
class Reader {
 public:
  explicit Reader(std::string_view bytes) : bytes_(bytes) {}

  Error error;

  bool is_at_end() const { return error || at_ == bytes_.size(); }
  std::string_view all() const { return bytes_; }
  std::string_view since(std::size_t start) const { return bytes_.substr(start, at_ - start); }
  std::size_t at() const { return at_; }

  void fail(std::int32_t number) {
    if (!error) error = Error{number, field_};
    at_ = bytes_.size();
  }

  bool expect(std::uint32_t found, std::uint32_t expected) {
    if (found != expected) fail(kKind);
    return found == expected;
  }

  // The next field's number and kind; false at the end or after an error.
  bool next(std::uint32_t &number, std::uint32_t &kind) {
    if (is_at_end()) return false;
    const std::uint64_t tag = varint();
    kind = static_cast<std::uint32_t>(tag & 7);
    const bool is_kind = kind <= 2 || kind == 5;
    if (!error && (tag >> 32 != 0 || tag >> 3 == 0 || !is_kind)) fail(kTag);
    if (error) return false;
    number = field_ = static_cast<std::uint32_t>(tag >> 3);
    return true;
  }

  std::string_view take(std::uint64_t size) {
    if (size > bytes_.size() - at_) {
      fail(kShort);
      return {};
    }
    const auto taken = bytes_.substr(at_, static_cast<std::size_t>(size));
    at_ += taken.size();
    return taken;
  }

  std::uint64_t varint() {
    std::uint64_t value = 0;
    for (unsigned shift = 0;; shift += 7) {
      const auto taken = take(1);
      if (taken.empty()) return 0;
      const auto byte = static_cast<std::uint8_t>(taken[0]);
      if (shift == 63 && byte > 1) {
        fail(kLongNumber);
        return 0;
      }
      value |= static_cast<std::uint64_t>(byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
  }

  std::string_view piece() { return take(varint()); }

  void skip(std::uint32_t kind) {
    if (kind == 0) {
      varint();
    } else if (kind == 2) {
      piece();
    } else {
      take(kind == 1 ? 8 : 4);
    }
  }

 private:
  std::string_view bytes_;
  std::size_t at_ = 0;
  std::uint32_t field_ = 0;
};

// Bytes that are being written.
struct Writer {
  std::string out;

  void varint(std::uint64_t value) {
    for (; value > 0x7f; value >>= 7) out.push_back(static_cast<char>(value | 0x80));
    out.push_back(static_cast<char>(value));
  }
  void tag(std::uint32_t number, std::uint32_t kind) { varint(std::uint64_t{number} << 3 | kind); }
  void piece(std::string_view bytes) {
    varint(bytes.size());
    out.append(bytes);
  }
};

// Forms: what a type is in C++, how its field ends, how it is read and written.

struct Boolean {
  using type = bool;
  static constexpr std::uint32_t kind = 0;
  static void read(Reader &r, type &out) { out = r.varint() != 0; }
  static void write(Writer &w, type value) { w.varint(value ? 1 : 0); }
  static bool is_default(type value) { return !value; }
};

template <class T>
struct Varint {
  using type = T;
  static constexpr std::uint32_t kind = 0;
  static void read(Reader &r, type &out) {
    const std::uint64_t value = r.varint();
    if constexpr (sizeof(T) < 4) {
      if (static_cast<std::uint32_t>(value) > static_cast<T>(~T{0})) r.fail(kRange);
    }
    out = static_cast<T>(value);
  }
  static void write(Writer &w, type value) {
    w.varint(std::is_signed_v<T> ? static_cast<std::uint64_t>(static_cast<std::int64_t>(value))
                                 : static_cast<std::uint64_t>(value));
  }
  static bool is_default(type value) { return value == 0; }
};

template <class T>
struct ZigZag {
  using type = T;
  static constexpr std::uint32_t kind = 0;
  static void read(Reader &r, type &out) {
    std::uint64_t value = r.varint();
    if (sizeof(T) < 8) value = static_cast<std::uint32_t>(value);
    const auto found = static_cast<std::int64_t>(value >> 1 ^ (~(value & 1) + 1));
    out = static_cast<T>(found);
    if (out != found) r.fail(kRange);
  }
  static void write(Writer &w, type value) {
    const auto bits = static_cast<std::uint64_t>(static_cast<std::int64_t>(value));
    w.varint(bits << 1 ^ (value < 0 ? ~std::uint64_t{0} : 0));
  }
  static bool is_default(type value) { return value == 0; }
};

// Guests and their hosts are little-endian.
template <class T>
struct Fixed {
  using type = T;
  static constexpr std::uint32_t kind = sizeof(T) == 8 ? 1 : 5;
  static void read(Reader &r, type &out) {
    const auto bytes = r.take(sizeof(T));
    if (bytes.size() == sizeof(T)) std::memcpy(&out, bytes.data(), sizeof(T));
  }
  static void write(Writer &w, type value) {
    char bytes[sizeof(T)];
    std::memcpy(bytes, &value, sizeof(T));
    w.out.append(bytes, sizeof(T));
  }
  // Minus zero is not the default.
  static bool is_default(type value) {
    const T none{};
    return std::memcmp(&value, &none, sizeof(T)) == 0;
  }
};

struct Char {
  using type = char32_t;
  static constexpr std::uint32_t kind = 0;
  static void read(Reader &r, type &out) {
    const std::uint64_t code = r.varint();
    if (!is_char(code)) r.fail(kRange);
    out = static_cast<char32_t>(code);
  }
  static void write(Writer &w, type value) { w.varint(value); }
  static bool is_default(type value) { return value == 0; }
};

// Enums and flags: numbers with names.
template <class T>
struct Named {
  using type = T;
  using Number = Varint<std::underlying_type_t<T>>;
  static constexpr std::uint32_t kind = 0;
  static void read(Reader &r, type &out) {
    std::underlying_type_t<T> number{};
    Number::read(r, number);
    out = static_cast<T>(number);
  }
  static void write(Writer &w, type value) {
    Number::write(w, static_cast<std::underlying_type_t<T>>(value));
  }
  static bool is_default(type value) { return value == T{}; }
};

struct Bytes {
  using type = std::string;
  static constexpr std::uint32_t kind = 2;
  static void read(Reader &r, type &out) { out = r.piece(); }
  static void write(Writer &w, const type &value) { w.piece(value); }
  static bool is_default(const type &value) { return value.empty(); }
};

struct Text : Bytes {
  static void read(Reader &r, type &out) {
    out = r.piece();
    if (!is_utf8(out)) r.fail(kUtf8);
  }
};

// A case without a value is a bool.
struct Nothing {
  using type = Unit;
  static constexpr std::uint32_t kind = 0;
  static void read(Reader &r, type &) { r.varint(); }
  static void write(Writer &w, type) { w.varint(1); }
};

template <class T>
void merge(Reader &r, T &value);
template <class T>
void write_all(Writer &w, const T &value);

// Records and variants.
template <class T>
struct Message {
  using type = T;
  static constexpr std::uint32_t kind = 2;
  static void read(Reader &r, type &out) {
    Reader inner(r.piece());
    if (r.error) return;
    merge(inner, out);
    if (inner.error) {
      r.fail(inner.error.number);
      r.error = inner.error;
    }
  }
  static void write(Writer &w, const type &value) {
    Writer inner;
    write_all(inner, value);
    w.piece(inner.out);
  }
};

// Reads the field of a number into the member that has it.
struct ReadField {
  Reader &r;
  std::uint32_t number;
  std::uint32_t kind;
  bool is_found = false;

  bool is_it(std::uint32_t other) { return number == other && (is_found = true); }

  template <class Form>
  void field(std::uint32_t of, typename Form::type &member) {
    if (is_it(of) && r.expect(kind, Form::kind)) Form::read(r, member);
  }
  template <class Form>
  void field(std::uint32_t of, std::optional<typename Form::type> &member) {
    if (!is_it(of) || !r.expect(kind, Form::kind)) return;
    if (!member) member.emplace();
    Form::read(r, *member);
  }
  template <class Form>
  void field(std::uint32_t of, std::vector<typename Form::type> &member) {
    if (!is_it(of)) return;
    if (kind == 2 && Form::kind != 2) {
      Reader packed(r.piece());
      while (!packed.is_at_end()) push<Form>(packed, member);
      if (packed.error) r.fail(packed.error.number);
    } else if (r.expect(kind, Form::kind)) {
      push<Form>(r, member);
    }
  }
  template <std::size_t Case, class Form, class Variant>
  void one(std::uint32_t of, Variant &held) {
    if (!is_it(of) || !r.expect(kind, Form::kind)) return;
    typename Form::type item{};
    Form::read(r, item);
    held.template emplace<Case>(std::move(item));
  }

 private:
  template <class Form>
  static void push(Reader &from, std::vector<typename Form::type> &member) {
    typename Form::type item{};
    Form::read(from, item);
    member.push_back(std::move(item));
  }
};

struct WriteField {
  Writer &w;

  template <class Form>
  void field(std::uint32_t number, const typename Form::type &member) {
    if constexpr (Form::kind != 2 || std::is_same_v<typename Form::type, std::string>) {
      if (Form::is_default(member)) return;
      put<Form>(number, member);
    } else {
      Writer inner;
      write_all(inner, member);
      // A record with nothing in it is left out; a variant always has a case.
      if (!Form::type::is_variant && inner.out.empty()) return;
      w.tag(number, 2);
      w.piece(inner.out);
    }
  }
  template <class Form>
  void field(std::uint32_t number, const std::optional<typename Form::type> &member) {
    if (member) put<Form>(number, *member);
  }
  template <class Form>
  void field(std::uint32_t number, const std::vector<typename Form::type> &member) {
    if constexpr (Form::kind == 2) {
      for (const auto &item : member) put<Form>(number, item);
    } else if (!member.empty()) {
      Writer packed;
      for (const auto item : member) Form::write(packed, item);
      w.tag(number, 2);
      w.piece(packed.out);
    }
  }
  template <std::size_t Case, class Form, class Variant>
  void one(std::uint32_t number, const Variant &held) {
    if (const auto *value = std::get_if<Case>(&held)) put<Form>(number, *value);
  }

 private:
  template <class Form>
  void put(std::uint32_t number, const typename Form::type &value) {
    w.tag(number, Form::kind);
    Form::write(w, value);
  }
};

// Reads fields over what is there; what is unknown is kept.
template <class T>
void merge(Reader &r, T &value) {
  bool has_case = false;
  std::uint32_t number = 0;
  std::uint32_t kind = 0;
  for (std::size_t start = r.at(); r.next(number, kind); start = r.at()) {
    ReadField field{r, number, kind};
    T::visit(value, field);
    has_case |= field.is_found;
    if (field.is_found) continue;
    r.skip(kind);
    if constexpr (T::has_unknown) {
      if (!r.error) value.unknown.append(r.since(start));
    }
  }
  if constexpr (T::is_variant) {
    if (!has_case) value.held.template emplace<0>(Unknown{std::string(r.all())});
  }
}

template <class T>
void write_all(Writer &w, const T &value) {
  WriteField field{w};
  T::visit(value, field);
  if constexpr (T::is_variant) {
    if (const auto *kept = std::get_if<0>(&value.held)) w.out.append(kept->bytes);
  }
  if constexpr (T::has_unknown) w.out.append(value.unknown);
}

template <class T>
Error decode(std::string_view bytes, T &out) {
  Reader r(bytes);
  out = T{};
  merge(r, out);
  return r.error;
}

template <class T>
std::string encode(const T &value) {
  Writer w;
  write_all(w, value);
  return std::move(w.out);
}

// Members at their places, with zeros in between.
struct LayOut {
  char *out;

  template <class T>
  void at(std::size_t offset, const T &member) {
    if constexpr (std::is_class_v<T>) {
      LayOut inner{out + offset};
      T::lay(member, inner);
    } else {
      std::memcpy(out + offset, &member, sizeof member);
    }
  }
};

struct PickUp {
  const char *in;
  bool is_wrong = false;

  template <class T>
  void at(std::size_t offset, T &member) {
    if constexpr (std::is_class_v<T>) {
      PickUp inner{in + offset};
      T::lay(member, inner);
      is_wrong |= inner.is_wrong;
    } else if constexpr (std::is_same_v<T, bool>) {
      is_wrong |= static_cast<std::uint8_t>(in[offset]) > 1;
      member = in[offset] != 0;
    } else {
      std::memcpy(&member, in + offset, sizeof member);
      if constexpr (std::is_same_v<T, char32_t>) is_wrong |= !is_char(member);
    }
  }
};

template <class T>
std::string to_c(const T &value) {
  std::string out(T::c_size, '\0');
  LayOut members{out.data()};
  T::lay(value, members);
  return out;
}

template <class T>
Error from_c(std::string_view bytes, T &out) {
  if (bytes.size() != T::c_size) return Error{kLength};
  PickUp members{bytes.data()};
  T::lay(out, members);
  return Error{members.is_wrong ? kRange : 0};
}

}  // namespace weir
#endif
