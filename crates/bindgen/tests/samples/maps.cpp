// A host of one map of bytes in memory, and what the maps of the samples do with it.
#include <cstdio>
#include <map>

namespace {
struct Slot { std::string value; std::uint64_t version; };
std::map<std::string, Slot> entries;
std::uint64_t last = 0;
std::string held(const std::uint8_t *bytes, std::size_t size) { return std::string(reinterpret_cast<const char *>(bytes), size); }
void put(const std::string &key, const std::string &value) { entries[key] = Slot{value, ++last}; }
#define CHECK(claim) do { if (!(claim)) { std::fprintf(stderr, "line %d: %s\n", __LINE__, #claim); return 1; } } while (0)
}  // namespace

extern "C" {
std::int32_t wasi_map_open(const std::uint8_t *, std::size_t size, std::int64_t, std::uint32_t *handle) { *handle = static_cast<std::uint32_t>(size); return 0; }
std::int32_t wasi_map_close(std::uint32_t) { return 0; }
std::int32_t wasi_map_get(std::uint32_t, const std::uint8_t *key, std::size_t ks, std::uint8_t *room, std::size_t rs, std::size_t *size, std::uint64_t *version) {
  const auto found = entries.find(held(key, ks));
  if (found == entries.end()) return 44;
  *size = found->second.value.size();
  *version = found->second.version;
  if (*size > rs) return 61;
  std::memcpy(room, found->second.value.data(), *size);
  return 0;
}
std::int32_t wasi_map_set(std::uint32_t, const std::uint8_t *key, std::size_t ks, const std::uint8_t *value, std::size_t size) { put(held(key, ks), held(value, size)); return 0; }
std::int32_t wasi_map_set_with(std::uint32_t, const std::uint8_t *key, std::size_t ks, const std::uint8_t *value, std::size_t size, const std::uint64_t *options, std::uint64_t *version) {
  if (options[0] != 4 || options[2] == 0) return 28;
  put(held(key, ks), held(value, size));
  *version = last;
  return 0;
}
std::int32_t wasi_map_delete(std::uint32_t, const std::uint8_t *key, std::size_t ks) { return entries.erase(held(key, ks)) ? 0 : 44; }
std::int32_t wasi_map_exists(std::uint32_t, const std::uint8_t *key, std::size_t ks, std::uint32_t *out) { *out = entries.count(held(key, ks)) != 0; return 0; }
std::int32_t wasi_map_compare_and_swap(std::uint32_t, const std::uint8_t *key, std::size_t ks, std::int64_t expected, const std::uint8_t *value, std::size_t size, std::uint64_t *version) {
  const auto found = entries.find(held(key, ks));
  *version = found == entries.end() ? 0 : found->second.version;
  if (*version != static_cast<std::uint64_t>(expected)) return 6;
  put(held(key, ks), held(value, size));
  *version = last;
  return 0;
}
std::int32_t wasi_map_increment(std::uint32_t, const std::uint8_t *key, std::size_t ks, std::int64_t delta, std::int64_t *value) {
  auto &slot = entries[held(key, ks)].value;
  *value = 0;
  if (slot.size() == 8) std::memcpy(value, slot.data(), 8);
  *value += delta;
  put(held(key, ks), held(reinterpret_cast<const std::uint8_t *>(value), 8));
  return 0;
}
// One entry at a time, after the one whose place is in the cursor; a page that is too small at first.
std::int32_t wasi_map_scan(std::uint32_t, const std::uint8_t *, std::size_t, std::uint8_t *cursor, std::uint8_t *room, std::size_t rs, std::size_t *used) {
  auto at = std::next(entries.begin(), cursor[0]);
  const std::uint32_t sizes[2] = {static_cast<std::uint32_t>(at->first.size()), static_cast<std::uint32_t>(at->second.value.size())};
  *used = (16 + sizes[0] + sizes[1] + 7) / 8 * 8;
  if (*used > rs) return 61;
  std::memcpy(room, sizes, 8);
  std::memcpy(room + 8, &at->second.version, 8);
  std::memcpy(room + 16, at->first.data(), sizes[0]);
  std::memcpy(room + 16 + sizes[0], at->second.value.data(), sizes[1]);
  cursor[0] = ++at == entries.end() ? 0 : static_cast<std::uint8_t>(cursor[0] + 1);
  return 0;
}
}

#ifdef WEIR_DEMO_HPP
static int maps() {
  using namespace demo;
  auto users = UsersMap::open(weir::rights::read | weir::rights::write);
  CHECK(users);
  User ann;
  ann.name = std::string(5000, 'a');
  ann.id = -7;
  CHECK(!users->get("ann").value);
  CHECK(!users->set("ann", ann));
  auto found = users->get("ann");
  CHECK(found && *found && (*found)->value == ann && (*found)->version == 1);
  CHECK(*users->compare_and_swap("ann", 1, User{}) == 2);
  const auto lost = users->compare_and_swap("ann", 1, User{});
  CHECK(lost.error.number == weir::errors::again && lost.value == 2);
  CHECK(*users->set_for("ann", ann, 5) == 3);
  CHECK(*users->exists("ann") && *users->remove("ann") && !*users->remove("ann") && !*users->exists("ann"));
  auto shapes = ShapesMap::open(weir::rights::read);
  Shape shape;
  CHECK(shape.which() == Shape::kNothing);
  shape.set<Shape::kLabel>(std::string(5000, 'b'));
  for (const std::int32_t key : {5, -5, 0, INT32_MIN}) CHECK(!shapes->set(key, shape));
  const auto all = shapes->scan();
  CHECK(all && all.value.size() == 4);
  CHECK(all.value[0].key == INT32_MIN && all.value[1].key == -5 && all.value[2].key == 0 && all.value[3].key == 5);
  CHECK(all.value[3].value == shape && *shape.get<Shape::kLabel>() == std::string(5000, 'b') && !shape.get<Shape::kCircle>());
  entries.clear();
  auto packets = PacketsMap::open(weir::rights::read);
  DataPacket packet{7, 0.5};
  CHECK(!packets->set(1, packet));
  CHECK(entries.begin()->second.value == std::string("\7\0\0\0\0\0\0\0\0\0\0\0\0\0\xe0\x3f", 16));
  CHECK((*packets->get(1))->value == packet);
  auto frames = FramesMap::open(weir::rights::read);
  const Frame frame{1, packet, Colour::Blue, true, -2};
  CHECK(!frames->set(2, frame));
  CHECK((*frames->get(2))->value == frame && entries[std::string("\0\2", 2)].value.size() == 32);
  entries[std::string("\0\2", 2)].value[28] = 2;
  CHECK(frames->get(2).error.number == weir::kRange);
  CHECK((Rights::Read | Rights::Admin) == static_cast<Rights>(1 | std::uint64_t{1} << 40));
  auto counters = CountersMap::open(weir::rights::write);
  CHECK(*counters->increment("hits", -3) == -3 && *counters->increment("hits", 5) == 2);
  return 0;
}
#else
static int maps() {
  using namespace users;
  struct Users final : UserService {
    weir::Result<GetUserResponse> get_user(const GetUserRequest &request) override {
      GetUserResponse out;
      out.user.emplace();
      out.user->name = "Ann";
      out.user->id = *request.get<GetUserRequest::kId>();
      return {out, {}};
    }
    weir::Result<GetUserResponse> put_user(const User &) override { return {{}, {weir::errors::again}}; }
  } served;
  UserServiceClient client([&](std::string_view path, std::string_view bytes) { return served.dispatch(path, bytes); });
  GetUserRequest request;
  request.set<GetUserRequest::kId>(9);
  const auto found = client.get_user(request);
  CHECK(found && found.value.user && found.value.user->id == 9 && found.value.user->name == "Ann");
  CHECK(client.put_user(User{}).error.number == weir::errors::again);
  CHECK(served.dispatch("/demo.v1.UserService/Nope", "").error.number == weir::errors::no_entry);
  CHECK(served.dispatch("/demo.v1.UserService/GetUser", "\x0b").error.number == weir::kTag);
  return 0;
}
#endif
