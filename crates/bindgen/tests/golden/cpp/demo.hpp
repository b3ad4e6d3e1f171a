// Written by `weir bindgen`; do not edit.
#ifndef WEIR_DEMO_HPP
#define WEIR_DEMO_HPP

#include "weir_map.hpp"

namespace demo {

// Who somebody is.
struct User {
  // What they are called.
  std::string name{};
  std::int32_t id{};
  std::string unknown;  // fields that a newer schema has

  static constexpr bool is_variant = false, has_unknown = true;
  template <class Self, class Visitor>
  static void visit([[maybe_unused]] Self &self, [[maybe_unused]] Visitor &visitor) {
    visitor.template field<weir::Text>(1, self.name);
    visitor.template field<weir::ZigZag<std::int32_t>>(2, self.id);
  }
  // Reads a value; what was here is gone.
  weir::Error decode(std::string_view bytes) { return weir::decode(bytes, *this); }
  std::string encode() const { return weir::encode(*this); }
  friend bool operator==(const User &a, const User &b) { return a.name == b.name && a.id == b.id && a.unknown == b.unknown; }
  friend bool operator!=(const User &a, const User &b) { return !(a == b); }
};

enum class Colour : std::int32_t {
  Red = 0,
  Green = 1,
  Blue = 7,
};

enum class Rights : std::uint64_t {
  Read = std::uint64_t{1} << 0,
  Write = std::uint64_t{1} << 1,
  Admin = std::uint64_t{1} << 40,
};
constexpr Rights operator|(Rights a, Rights b) { return static_cast<Rights>(static_cast<std::uint64_t>(a) | static_cast<std::uint64_t>(b)); }
constexpr Rights operator&(Rights a, Rights b) { return static_cast<Rights>(static_cast<std::uint64_t>(a) & static_cast<std::uint64_t>(b)); }

struct Point {
  double x{};
  double y{};
  std::string unknown;  // fields that a newer schema has

  static constexpr bool is_variant = false, has_unknown = true;
  template <class Self, class Visitor>
  static void visit([[maybe_unused]] Self &self, [[maybe_unused]] Visitor &visitor) {
    visitor.template field<weir::Fixed<double>>(1, self.x);
    visitor.template field<weir::Fixed<double>>(2, self.y);
  }
  // Reads a value; what was here is gone.
  weir::Error decode(std::string_view bytes) { return weir::decode(bytes, *this); }
  std::string encode() const { return weir::encode(*this); }
  friend bool operator==(const Point &a, const Point &b) { return a.x == b.x && a.y == b.y && a.unknown == b.unknown; }
  friend bool operator!=(const Point &a, const Point &b) { return !(a == b); }
};

struct ShapePolygonItems {
  std::vector<Point> items;
  std::string unknown;  // fields that a newer schema has

  static constexpr bool is_variant = false, has_unknown = true;
  template <class Self, class Visitor>
  static void visit([[maybe_unused]] Self &self, [[maybe_unused]] Visitor &visitor) {
    visitor.template field<weir::Message<Point>>(1, self.items);
  }
  // Reads a value; what was here is gone.
  weir::Error decode(std::string_view bytes) { return weir::decode(bytes, *this); }
  std::string encode() const { return weir::encode(*this); }
  friend bool operator==(const ShapePolygonItems &a, const ShapePolygonItems &b) { return a.items == b.items && a.unknown == b.unknown; }
  friend bool operator!=(const ShapePolygonItems &a, const ShapePolygonItems &b) { return !(a == b); }
};

struct Shape {
  enum Case : std::size_t {
    kUnknown,  // a case that a newer schema has
    kNothing,
    kCircle,
    kPolygon,
    kLabel,
    kOwner,
  };
  std::variant<weir::Unknown, weir::Unit, float, ShapePolygonItems, std::string, User> held{std::in_place_index<1>};

  Case which() const { return static_cast<Case>(held.index()); }
  // The value of a case, if that is it.
  template <Case which>
  const auto *get() const { return std::get_if<static_cast<std::size_t>(which)>(&held); }
  template <Case which, class... Value>
  auto &set(Value &&...value) { return held.template emplace<static_cast<std::size_t>(which)>(std::forward<Value>(value)...); }

  static constexpr bool is_variant = true, has_unknown = false;
  template <class Self, class Visitor>
  static void visit([[maybe_unused]] Self &self, [[maybe_unused]] Visitor &visitor) {
    visitor.template one<1, weir::Nothing>(1, self.held);
    visitor.template one<2, weir::Fixed<float>>(2, self.held);
    visitor.template one<3, weir::Message<ShapePolygonItems>>(3, self.held);
    visitor.template one<4, weir::Text>(4, self.held);
    visitor.template one<5, weir::Message<User>>(5, self.held);
  }
  // Reads a value; what was here is gone.
  weir::Error decode(std::string_view bytes) { return weir::decode(bytes, *this); }
  std::string encode() const { return weir::encode(*this); }
  friend bool operator==(const Shape &a, const Shape &b) { return a.held == b.held; }
  friend bool operator!=(const Shape &a, const Shape &b) { return !(a == b); }
};

struct SampleMaybeListItems {
  std::vector<std::uint32_t> items;
  std::string unknown;  // fields that a newer schema has

  static constexpr bool is_variant = false, has_unknown = true;
  template <class Self, class Visitor>
  static void visit([[maybe_unused]] Self &self, [[maybe_unused]] Visitor &visitor) {
    visitor.template field<weir::Varint<std::uint32_t>>(1, self.items);
  }
  // Reads a value; what was here is gone.
  weir::Error decode(std::string_view bytes) { return weir::decode(bytes, *this); }
  std::string encode() const { return weir::encode(*this); }
  friend bool operator==(const SampleMaybeListItems &a, const SampleMaybeListItems &b) { return a.items == b.items && a.unknown == b.unknown; }
  friend bool operator!=(const SampleMaybeListItems &a, const SampleMaybeListItems &b) { return !(a == b); }
};

struct SampleGridItems {
  std::vector<std::uint32_t> items;
  std::string unknown;  // fields that a newer schema has

  static constexpr bool is_variant = false, has_unknown = true;
  template <class Self, class Visitor>
  static void visit([[maybe_unused]] Self &self, [[maybe_unused]] Visitor &visitor) {
    visitor.template field<weir::Varint<std::uint32_t>>(1, self.items);
  }
  // Reads a value; what was here is gone.
  weir::Error decode(std::string_view bytes) { return weir::decode(bytes, *this); }
  std::string encode() const { return weir::encode(*this); }
  friend bool operator==(const SampleGridItems &a, const SampleGridItems &b) { return a.items == b.items && a.unknown == b.unknown; }
  friend bool operator!=(const SampleGridItems &a, const SampleGridItems &b) { return !(a == b); }
};

struct SamplePair {
  std::uint32_t f0{};
  std::string f1{};
  std::string unknown;  // fields that a newer schema has

  static constexpr bool is_variant = false, has_unknown = true;
  template <class Self, class Visitor>
  static void visit([[maybe_unused]] Self &self, [[maybe_unused]] Visitor &visitor) {
    visitor.template field<weir::Varint<std::uint32_t>>(1, self.f0);
    visitor.template field<weir::Text>(2, self.f1);
  }
  // Reads a value; what was here is gone.
  weir::Error decode(std::string_view bytes) { return weir::decode(bytes, *this); }
  std::string encode() const { return weir::encode(*this); }
  friend bool operator==(const SamplePair &a, const SamplePair &b) { return a.f0 == b.f0 && a.f1 == b.f1 && a.unknown == b.unknown; }
  friend bool operator!=(const SamplePair &a, const SamplePair &b) { return !(a == b); }
};

struct SampleOutcome {
  enum Case : std::size_t {
    kUnknown,  // a case that a newer schema has
    kOk,
    kErr,
  };
  std::variant<weir::Unknown, std::uint32_t, std::string> held{std::in_place_index<1>};

  Case which() const { return static_cast<Case>(held.index()); }
  // The value of a case, if that is it.
  template <Case which>
  const auto *get() const { return std::get_if<static_cast<std::size_t>(which)>(&held); }
  template <Case which, class... Value>
  auto &set(Value &&...value) { return held.template emplace<static_cast<std::size_t>(which)>(std::forward<Value>(value)...); }

  static constexpr bool is_variant = true, has_unknown = false;
  template <class Self, class Visitor>
  static void visit([[maybe_unused]] Self &self, [[maybe_unused]] Visitor &visitor) {
    visitor.template one<1, weir::Varint<std::uint32_t>>(1, self.held);
    visitor.template one<2, weir::Text>(2, self.held);
  }
  // Reads a value; what was here is gone.
  weir::Error decode(std::string_view bytes) { return weir::decode(bytes, *this); }
  std::string encode() const { return weir::encode(*this); }
  friend bool operator==(const SampleOutcome &a, const SampleOutcome &b) { return a.held == b.held; }
  friend bool operator!=(const SampleOutcome &a, const SampleOutcome &b) { return !(a == b); }
};

struct SampleDone {
  enum Case : std::size_t {
    kUnknown,  // a case that a newer schema has
    kOk,
    kErr,
  };
  std::variant<weir::Unknown, weir::Unit, weir::Unit> held{std::in_place_index<1>};

  Case which() const { return static_cast<Case>(held.index()); }
  // The value of a case, if that is it.
  template <Case which>
  const auto *get() const { return std::get_if<static_cast<std::size_t>(which)>(&held); }
  template <Case which, class... Value>
  auto &set(Value &&...value) { return held.template emplace<static_cast<std::size_t>(which)>(std::forward<Value>(value)...); }

  static constexpr bool is_variant = true, has_unknown = false;
  template <class Self, class Visitor>
  static void visit([[maybe_unused]] Self &self, [[maybe_unused]] Visitor &visitor) {
    visitor.template one<1, weir::Nothing>(1, self.held);
    visitor.template one<2, weir::Nothing>(2, self.held);
  }
  // Reads a value; what was here is gone.
  weir::Error decode(std::string_view bytes) { return weir::decode(bytes, *this); }
  std::string encode() const { return weir::encode(*this); }
  friend bool operator==(const SampleDone &a, const SampleDone &b) { return a.held == b.held; }
  friend bool operator!=(const SampleDone &a, const SampleDone &b) { return !(a == b); }
};

// A value with a field of every type.
struct Sample {
  bool flag{};
  std::int8_t tiny{};
  std::int16_t small{};
  std::int32_t medium{};
  std::int64_t big{};
  std::uint8_t utiny{};
  std::uint16_t usmall{};
  std::uint32_t umedium{};
  std::uint64_t ubig{};
  float single{};
  double double_{};
  char32_t letter{};
  std::string text{};
  std::string raw{};
  Colour colour{};
  Rights rights{};
  User user{};
  Shape shape{};
  std::optional<std::uint32_t> maybe_number;
  std::optional<std::string> maybe_text;
  std::optional<User> maybe_user;
  std::optional<SampleMaybeListItems> maybe_list;
  std::vector<std::int64_t> numbers;
  std::vector<double> ratios;
  std::vector<Colour> colours;
  std::vector<std::string> texts;
  std::vector<User> users;
  std::vector<Shape> shapes;
  std::vector<SampleGridItems> grid;
  SamplePair pair{};
  SampleOutcome outcome{};
  SampleDone done{};
  // Given later.
  std::string type{};
  std::string unknown;  // fields that a newer schema has

  static constexpr bool is_variant = false, has_unknown = true;
  template <class Self, class Visitor>
  static void visit([[maybe_unused]] Self &self, [[maybe_unused]] Visitor &visitor) {
    visitor.template field<weir::Boolean>(1, self.flag);
    visitor.template field<weir::ZigZag<std::int8_t>>(2, self.tiny);
    visitor.template field<weir::ZigZag<std::int16_t>>(3, self.small);
    visitor.template field<weir::ZigZag<std::int32_t>>(4, self.medium);
    visitor.template field<weir::ZigZag<std::int64_t>>(5, self.big);
    visitor.template field<weir::Varint<std::uint8_t>>(6, self.utiny);
    visitor.template field<weir::Varint<std::uint16_t>>(7, self.usmall);
    visitor.template field<weir::Varint<std::uint32_t>>(8, self.umedium);
    visitor.template field<weir::Varint<std::uint64_t>>(9, self.ubig);
    visitor.template field<weir::Fixed<float>>(10, self.single);
    visitor.template field<weir::Fixed<double>>(11, self.double_);
    visitor.template field<weir::Char>(12, self.letter);
    visitor.template field<weir::Text>(13, self.text);
    visitor.template field<weir::Bytes>(14, self.raw);
    visitor.template field<weir::Named<Colour>>(15, self.colour);
    visitor.template field<weir::Named<Rights>>(16, self.rights);
    visitor.template field<weir::Message<User>>(17, self.user);
    visitor.template field<weir::Message<Shape>>(18, self.shape);
    visitor.template field<weir::Varint<std::uint32_t>>(19, self.maybe_number);
    visitor.template field<weir::Text>(20, self.maybe_text);
    visitor.template field<weir::Message<User>>(21, self.maybe_user);
    visitor.template field<weir::Message<SampleMaybeListItems>>(22, self.maybe_list);
    visitor.template field<weir::ZigZag<std::int64_t>>(23, self.numbers);
    visitor.template field<weir::Fixed<double>>(24, self.ratios);
    visitor.template field<weir::Named<Colour>>(25, self.colours);
    visitor.template field<weir::Text>(26, self.texts);
    visitor.template field<weir::Message<User>>(27, self.users);
    visitor.template field<weir::Message<Shape>>(28, self.shapes);
    visitor.template field<weir::Message<SampleGridItems>>(29, self.grid);
    visitor.template field<weir::Message<SamplePair>>(30, self.pair);
    visitor.template field<weir::Message<SampleOutcome>>(31, self.outcome);
    visitor.template field<weir::Message<SampleDone>>(32, self.done);
    visitor.template field<weir::Text>(100, self.type);
  }
  // Reads a value; what was here is gone.
  weir::Error decode(std::string_view bytes) { return weir::decode(bytes, *this); }
  std::string encode() const { return weir::encode(*this); }
  friend bool operator==(const Sample &a, const Sample &b) { return a.flag == b.flag && a.tiny == b.tiny && a.small == b.small && a.medium == b.medium && a.big == b.big && a.utiny == b.utiny && a.usmall == b.usmall && a.umedium == b.umedium && a.ubig == b.ubig && a.single == b.single && a.double_ == b.double_ && a.letter == b.letter && a.text == b.text && a.raw == b.raw && a.colour == b.colour && a.rights == b.rights && a.user == b.user && a.shape == b.shape && a.maybe_number == b.maybe_number && a.maybe_text == b.maybe_text && a.maybe_user == b.maybe_user && a.maybe_list == b.maybe_list && a.numbers == b.numbers && a.ratios == b.ratios && a.colours == b.colours && a.texts == b.texts && a.users == b.users && a.shapes == b.shapes && a.grid == b.grid && a.pair == b.pair && a.outcome == b.outcome && a.done == b.done && a.type == b.type && a.unknown == b.unknown; }
  friend bool operator!=(const Sample &a, const Sample &b) { return !(a == b); }
};

// Passed between languages byte for byte.
struct DataPacket {
  std::uint32_t id{};
  double value{};

  static constexpr bool is_variant = false, has_unknown = false;
  template <class Self, class Visitor>
  static void visit([[maybe_unused]] Self &self, [[maybe_unused]] Visitor &visitor) {
    visitor.template field<weir::Varint<std::uint32_t>>(1, self.id);
    visitor.template field<weir::Fixed<double>>(2, self.value);
  }

  static constexpr std::size_t c_size = 16;
  template <class Self, class Visitor>
  static void lay(Self &self, Visitor &visitor) {
    visitor.at(0, self.id);
    visitor.at(8, self.value);
  }
  // Reads a value; what was here is gone.
  weir::Error decode(std::string_view bytes) { return weir::decode(bytes, *this); }
  std::string encode() const { return weir::encode(*this); }
  friend bool operator==(const DataPacket &a, const DataPacket &b) { return a.id == b.id && a.value == b.value; }
  friend bool operator!=(const DataPacket &a, const DataPacket &b) { return !(a == b); }
};
static_assert(sizeof(DataPacket) == 16);
static_assert(offsetof(DataPacket, id) == 0);
static_assert(offsetof(DataPacket, value) == 8);

// A record in a record, with padding in between.
struct Frame {
  std::uint8_t kind{};
  DataPacket packet{};
  Colour colour{};
  bool last{};
  std::int16_t delta{};

  static constexpr bool is_variant = false, has_unknown = false;
  template <class Self, class Visitor>
  static void visit([[maybe_unused]] Self &self, [[maybe_unused]] Visitor &visitor) {
    visitor.template field<weir::Varint<std::uint8_t>>(1, self.kind);
    visitor.template field<weir::Message<DataPacket>>(2, self.packet);
    visitor.template field<weir::Named<Colour>>(3, self.colour);
    visitor.template field<weir::Boolean>(4, self.last);
    visitor.template field<weir::ZigZag<std::int16_t>>(5, self.delta);
  }

  static constexpr std::size_t c_size = 32;
  template <class Self, class Visitor>
  static void lay(Self &self, Visitor &visitor) {
    visitor.at(0, self.kind);
    visitor.at(8, self.packet);
    visitor.at(24, self.colour);
    visitor.at(28, self.last);
    visitor.at(30, self.delta);
  }
  // Reads a value; what was here is gone.
  weir::Error decode(std::string_view bytes) { return weir::decode(bytes, *this); }
  std::string encode() const { return weir::encode(*this); }
  friend bool operator==(const Frame &a, const Frame &b) { return a.kind == b.kind && a.packet == b.packet && a.colour == b.colour && a.last == b.last && a.delta == b.delta; }
  friend bool operator!=(const Frame &a, const Frame &b) { return !(a == b); }
};
static_assert(sizeof(Frame) == 32);
static_assert(offsetof(Frame, kind) == 0);
static_assert(offsetof(Frame, packet) == 8);
static_assert(offsetof(Frame, colour) == 24);
static_assert(offsetof(Frame, last) == 28);
static_assert(offsetof(Frame, delta) == 30);

struct ListsItems {
  std::vector<std::uint32_t> items;
  std::string unknown;  // fields that a newer schema has

  static constexpr bool is_variant = false, has_unknown = true;
  template <class Self, class Visitor>
  static void visit([[maybe_unused]] Self &self, [[maybe_unused]] Visitor &visitor) {
    visitor.template field<weir::Varint<std::uint32_t>>(1, self.items);
  }
  // Reads a value; what was here is gone.
  weir::Error decode(std::string_view bytes) { return weir::decode(bytes, *this); }
  std::string encode() const { return weir::encode(*this); }
  friend bool operator==(const ListsItems &a, const ListsItems &b) { return a.items == b.items && a.unknown == b.unknown; }
  friend bool operator!=(const ListsItems &a, const ListsItems &b) { return !(a == b); }
};

struct UsersMapDeclared {
  using Key = weir::TextKey;
  using Value = User;
  static constexpr std::string_view name = "users";
  static constexpr std::uint64_t schema = 0x065edcd93956cb6b;
  static std::string encode(const Value &value) { return weir::encode(value); }
  static weir::Error decode(std::string_view bytes, Value &value) { return weir::decode(bytes, value); }
};
// Everybody.
using UsersMap = weir::Map<UsersMapDeclared>;

struct SamplesMapDeclared {
  using Key = weir::IntKey<std::uint64_t>;
  using Value = Sample;
  static constexpr std::string_view name = "samples";
  static constexpr std::uint64_t schema = 0x01a66753f71967fa;
  static std::string encode(const Value &value) { return weir::encode(value); }
  static weir::Error decode(std::string_view bytes, Value &value) { return weir::decode(bytes, value); }
};
using SamplesMap = weir::Map<SamplesMapDeclared>;

struct ShapesMapDeclared {
  using Key = weir::IntKey<std::int32_t>;
  using Value = Shape;
  static constexpr std::string_view name = "shapes";
  static constexpr std::uint64_t schema = 0xb9dda70369fcdd08;
  static std::string encode(const Value &value) { return weir::encode(value); }
  static weir::Error decode(std::string_view bytes, Value &value) { return weir::decode(bytes, value); }
};
using ShapesMap = weir::Map<ShapesMapDeclared>;

struct PacketsMapDeclared {
  using Key = weir::IntKey<std::uint32_t>;
  using Value = DataPacket;
  static constexpr std::string_view name = "packets";
  static constexpr std::uint64_t schema = 0x27af3828d3c82eb8;
  static std::string encode(const Value &value) { return weir::to_c(value); }
  static weir::Error decode(std::string_view bytes, Value &value) { return weir::from_c(bytes, value); }
};
using PacketsMap = weir::Map<PacketsMapDeclared>;

struct FramesMapDeclared {
  using Key = weir::IntKey<std::uint16_t>;
  using Value = Frame;
  static constexpr std::string_view name = "frames";
  static constexpr std::uint64_t schema = 0x308b764744f7946d;
  static std::string encode(const Value &value) { return weir::to_c(value); }
  static weir::Error decode(std::string_view bytes, Value &value) { return weir::from_c(bytes, value); }
};
using FramesMap = weir::Map<FramesMapDeclared>;

struct ThumbsMapDeclared {
  using Key = weir::IntKey<std::uint64_t>;
  using Value = std::string;
  static constexpr std::string_view name = "thumbs";
  static constexpr std::uint64_t schema = 0xd810e838a84e6698;
  static std::string encode(const Value &value) { return value; }
  static weir::Error decode(std::string_view bytes, Value &value) { return weir::Error{(value = bytes, 0)}; }
};
using ThumbsMap = weir::Map<ThumbsMapDeclared>;

struct NotesMapDeclared {
  using Key = weir::BytesKey;
  using Value = std::string;
  static constexpr std::string_view name = "notes";
  static constexpr std::uint64_t schema = 0xb88d3a4fb89a2805;
  static std::string encode(const Value &value) { return value; }
  static weir::Error decode(std::string_view bytes, Value &value) { return weir::Error{weir::is_utf8(value = bytes) ? 0 : weir::kUtf8}; }
};
using NotesMap = weir::Map<NotesMapDeclared>;

struct CountersMapDeclared {
  using Key = weir::TextKey;
  using Value = std::int64_t;
  static constexpr std::string_view name = "counters";
  static constexpr std::uint64_t schema = 0x0b40c6729ea1c9b8;
  static std::string encode(const Value &value) { return std::string(reinterpret_cast<const char *>(&value), sizeof value); }
  static weir::Error decode(std::string_view bytes, Value &value) { return bytes.size() == 8 ? (std::memcpy(&value, bytes.data(), 8), weir::Error{}) : weir::Error{weir::kLength}; }
};
using CountersMap = weir::Map<CountersMapDeclared>;

struct ListsMapDeclared {
  using Key = weir::BoolKey;
  using Value = ListsItems;
  static constexpr std::string_view name = "lists";
  static constexpr std::uint64_t schema = 0x712244bfb64cf207;
  static std::string encode(const Value &value) { return weir::encode(value); }
  static weir::Error decode(std::string_view bytes, Value &value) { return weir::decode(bytes, value); }
};
using ListsMap = weir::Map<ListsMapDeclared>;

}  // namespace demo

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
