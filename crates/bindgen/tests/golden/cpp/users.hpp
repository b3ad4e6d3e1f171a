// Written by `weir bindgen`; do not edit.
#ifndef WEIR_USERS_HPP
#define WEIR_USERS_HPP

#include "weir_map.hpp"

namespace users {

enum class Role : std::int32_t {
  Owner = -2,
  Guest = 0,
  Member = 1,
};

struct UserQuotasEntry {
  std::string key{};
  std::uint32_t value{};
  std::string unknown;  // fields that a newer schema has

  static constexpr bool is_variant = false, has_unknown = true;
  template <class Self, class Visitor>
  static void visit([[maybe_unused]] Self &self, [[maybe_unused]] Visitor &visitor) {
    visitor.template field<weir::Text>(1, self.key);
    visitor.template field<weir::Varint<std::uint32_t>>(2, self.value);
  }
  // Reads a value; what was here is gone.
  weir::Error decode(std::string_view bytes) { return weir::decode(bytes, *this); }
  std::string encode() const { return weir::encode(*this); }
  friend bool operator==(const UserQuotasEntry &a, const UserQuotasEntry &b) { return a.key == b.key && a.value == b.value && a.unknown == b.unknown; }
  friend bool operator!=(const UserQuotasEntry &a, const UserQuotasEntry &b) { return !(a == b); }
};

struct UserAddress {
  std::string street{};
  std::string town{};
  std::string unknown;  // fields that a newer schema has

  static constexpr bool is_variant = false, has_unknown = true;
  template <class Self, class Visitor>
  static void visit([[maybe_unused]] Self &self, [[maybe_unused]] Visitor &visitor) {
    visitor.template field<weir::Text>(1, self.street);
    visitor.template field<weir::Text>(2, self.town);
  }
  // Reads a value; what was here is gone.
  weir::Error decode(std::string_view bytes) { return weir::decode(bytes, *this); }
  std::string encode() const { return weir::encode(*this); }
  friend bool operator==(const UserAddress &a, const UserAddress &b) { return a.street == b.street && a.town == b.town && a.unknown == b.unknown; }
  friend bool operator!=(const UserAddress &a, const UserAddress &b) { return !(a == b); }
};

// Who somebody is.
struct User {
  // What they are called.
  std::string name{};
  std::int32_t id{};
  Role role{};
  std::optional<std::string> mail;
  std::vector<std::int64_t> scores;
  std::vector<UserQuotasEntry> quotas;
  std::optional<UserAddress> address;
  std::uint64_t serial{};
  std::vector<std::int32_t> steps;
  std::string unknown;  // fields that a newer schema has

  static constexpr bool is_variant = false, has_unknown = true;
  template <class Self, class Visitor>
  static void visit([[maybe_unused]] Self &self, [[maybe_unused]] Visitor &visitor) {
    visitor.template field<weir::Text>(1, self.name);
    visitor.template field<weir::Varint<std::int32_t>>(2, self.id);
    visitor.template field<weir::Named<Role>>(4, self.role);
    visitor.template field<weir::Text>(5, self.mail);
    visitor.template field<weir::ZigZag<std::int64_t>>(6, self.scores);
    visitor.template field<weir::Message<UserQuotasEntry>>(7, self.quotas);
    visitor.template field<weir::Message<UserAddress>>(8, self.address);
    visitor.template field<weir::Fixed<std::uint64_t>>(9, self.serial);
    visitor.template field<weir::Fixed<std::int32_t>>(10, self.steps);
  }
  // Reads a value; what was here is gone.
  weir::Error decode(std::string_view bytes) { return weir::decode(bytes, *this); }
  std::string encode() const { return weir::encode(*this); }
  friend bool operator==(const User &a, const User &b) { return a.name == b.name && a.id == b.id && a.role == b.role && a.mail == b.mail && a.scores == b.scores && a.quotas == b.quotas && a.address == b.address && a.serial == b.serial && a.steps == b.steps && a.unknown == b.unknown; }
  friend bool operator!=(const User &a, const User &b) { return !(a == b); }
};

struct GetUserRequest {
  enum Case : std::size_t {
    kUnknown,  // a case that a newer schema has
    kId,
    kName,
  };
  std::variant<weir::Unknown, std::int32_t, std::string> held{std::in_place_index<1>};

  Case which() const { return static_cast<Case>(held.index()); }
  // The value of a case, if that is it.
  template <Case which>
  const auto *get() const { return std::get_if<static_cast<std::size_t>(which)>(&held); }
  template <Case which, class... Value>
  auto &set(Value &&...value) { return held.template emplace<static_cast<std::size_t>(which)>(std::forward<Value>(value)...); }

  static constexpr bool is_variant = true, has_unknown = false;
  template <class Self, class Visitor>
  static void visit([[maybe_unused]] Self &self, [[maybe_unused]] Visitor &visitor) {
    visitor.template one<1, weir::Varint<std::int32_t>>(1, self.held);
    visitor.template one<2, weir::Text>(2, self.held);
  }
  // Reads a value; what was here is gone.
  weir::Error decode(std::string_view bytes) { return weir::decode(bytes, *this); }
  std::string encode() const { return weir::encode(*this); }
  friend bool operator==(const GetUserRequest &a, const GetUserRequest &b) { return a.held == b.held; }
  friend bool operator!=(const GetUserRequest &a, const GetUserRequest &b) { return !(a == b); }
};

struct GetUserResponse {
  std::optional<User> user;
  std::string unknown;  // fields that a newer schema has

  static constexpr bool is_variant = false, has_unknown = true;
  template <class Self, class Visitor>
  static void visit([[maybe_unused]] Self &self, [[maybe_unused]] Visitor &visitor) {
    visitor.template field<weir::Message<User>>(1, self.user);
  }
  // Reads a value; what was here is gone.
  weir::Error decode(std::string_view bytes) { return weir::decode(bytes, *this); }
  std::string encode() const { return weir::encode(*this); }
  friend bool operator==(const GetUserResponse &a, const GetUserResponse &b) { return a.user == b.user && a.unknown == b.unknown; }
  friend bool operator!=(const GetUserResponse &a, const GetUserResponse &b) { return !(a == b); }
};

struct UsersMapDeclared {
  using Key = weir::TextKey;
  using Value = User;
  static constexpr std::string_view name = "users";
  static constexpr std::uint64_t schema = 0x464eab12e7f4b735;
  static std::string encode(const Value &value) { return weir::encode(value); }
  static weir::Error decode(std::string_view bytes, Value &value) { return weir::decode(bytes, value); }
};
using UsersMap = weir::Map<UsersMapDeclared>;

// Looks after users.
struct UserService {
  virtual ~UserService() = default;
  // Finds one.
  virtual weir::Result<GetUserResponse> get_user(const GetUserRequest &request) = 0;
  virtual weir::Result<GetUserResponse> put_user(const User &request) = 0;

  // Calls the function of a path with bytes; the error 44: there is none.
  weir::Result<std::string> dispatch(std::string_view path, std::string_view request) {
    if (path == "/demo.v1.UserService/GetUser") return weir::serve<GetUserRequest>(request, [this](const auto &value) { return get_user(value); });
    if (path == "/demo.v1.UserService/PutUser") return weir::serve<User>(request, [this](const auto &value) { return put_user(value); });
    return {{}, {weir::errors::no_entry}};
  }
};

// Calls the functions by way of bytes: call(path, request) gives a weir::Result<std::string>.
template <class Call>
struct UserServiceClient final : UserService {
  explicit UserServiceClient(Call call) : call(std::move(call)) {}
  Call call;
  weir::Result<GetUserResponse> get_user(const GetUserRequest &request) override { return weir::ask<GetUserResponse>(call, "/demo.v1.UserService/GetUser", request); }
  weir::Result<GetUserResponse> put_user(const User &request) override { return weir::ask<GetUserResponse>(call, "/demo.v1.UserService/PutUser", request); }
};

}  // namespace users

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
