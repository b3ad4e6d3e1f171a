// Calls everything that wasi_map.hpp has against a real host: see ../c/checks.c for what it grants
// and what the exports answer.
#include "wasi_map.hpp"

using wasi_map::batch;
using wasi_map::errc;
using wasi_map::map;
using wasi_map::rights;
using wasi_map::terms;
using namespace std::chrono_literals;

#define EXPECT(what) \
  do {               \
    if (!(what)) return __LINE__; \
  } while (0)
#define CHECK(name) extern "C" WASI_MAP_EXPORT(#name) int name()

namespace {

struct packet {
  std::uint32_t id;
  double value;
};

// Whether an answer is this error.
template <class T>
bool is(const wasi_map::result<T> &answer, errc code) {
  return !answer && answer.error() == code;
}

// Whether an answer is this value.
template <class T, class U>
bool is_value(const wasi_map::result<T> &answer, const U &value) {
  return answer && *answer == value;
}

map shared() {
  auto opened = map::open("shared", rights::all);
  if (!opened || !opened->clear()) __builtin_trap();
  return std::move(*opened);
}

}  // namespace

CHECK(entries) {
  const map map = shared();
  EXPECT(map.set("key", "value"));
  const auto found = map.get("key");
  EXPECT(found && *found && (*found)->value == "value" && (*found)->version > 0);
  const std::string large(100000, 'x');
  EXPECT(map.set("large", large));
  EXPECT(map.get("large").value()->value == large);
  const auto whole = map.get_buffer("large");
  EXPECT(whole && *whole && (*whole)->view() == large && (*whole)->version() > 0);
  EXPECT(map.get("none") && !*map.get("none") && !*map.get_buffer("none"));
  EXPECT(map.set_as("packet", packet{7, 1.5}));
  const auto typed = map.get_as<packet>("packet");
  EXPECT(typed && *typed && (*typed)->value.id == 7 && (*typed)->value.value == 1.5);
  EXPECT(is(map.get_as<packet>("key"), errc::invalid) && is(map.get_as<packet>("large"), errc::invalid));
  EXPECT(!*map.get_as<packet>("none"));
  EXPECT(is_value(map.exists("key"), true) && is_value(map.exists("none"), false));
  EXPECT(is_value(map.remove("key"), true) && is_value(map.remove("key"), false));
  EXPECT(is_value(map.increment("n", 40), 40) && is_value(map.increment("n", 2), 42));
  EXPECT(is(map.increment("n", INT64_MAX), errc::overflow));
  const auto first = map.compare_and_swap("swapped", 0, "1");
  EXPECT(first);
  const auto lost = map.compare_and_swap("swapped", 0, "2");
  EXPECT(is(lost, errc::again) && lost.error().detail == *first);
  EXPECT(map.compare_and_swap("swapped", *first, "2").value_or(0) > *first);
  EXPECT(is(map.set("swapped", "3", terms::if_absent()), errc::again));
  EXPECT(is(map.set("swapped", "3", terms::if_version(*first)), errc::again));
  EXPECT(map.set("lasting", "", terms::if_absent().and_lasting(1h)).value_or(0) > 0);
  EXPECT(is(map.set("lasting", "", terms::lasting(0ms)), errc::invalid));
  return 0;
}

CHECK(lists) {
  const map map = shared();
  const std::string large(10000, 'x');
  for (int i = 0; i < 300; i++) {
    const std::string key = {'a', static_cast<char>(i / 128), static_cast<char>(i % 128)};
    EXPECT(map.set(key, i == 5 ? large : "some value"));
  }
  EXPECT(map.set("b", ""));
  int seen = 0;
  auto scan = map.scan("a");
  for (;;) {
    const auto next = scan.next();
    EXPECT(next);
    if (!*next) break;
    EXPECT((*next)->key[1] == seen / 128 && (*next)->key[2] == seen % 128);
    EXPECT((*next)->value == (seen == 5 ? large : "some value") && (*next)->version > 0);
    seen++;
  }
  EXPECT(seen == 300 && !*map.scan("c").next());
  const auto done = map.run(batch()
                                .check("new", terms::if_absent())
                                .set("new", "1")
                                .increment("n", -5)
                                .remove("b")
                                .remove("none"));
  EXPECT(done && done->size() == 5);
  EXPECT((*done)[0].version == 0 && (*done)[1].version > 0 && (*done)[2].value == -5);
  EXPECT((*done)[3].value == 1 && (*done)[4].value == 0);
  EXPECT(is(map.run(batch().set("b", "").check("new", terms::if_absent())), errc::again));
  EXPECT(is_value(map.exists("b"), false));
  EXPECT(map.clear() && !*map.scan().next());
  return 0;
}

CHECK(changes) {
  const map map = shared();
  auto watch = map.watch("w");
  EXPECT(watch && watch->id() > 0 && !*watch->poll() && !*watch->next(2ms));
  const std::string large(6000, 'w');
  EXPECT(map.set("other", "") && map.set("w1", "") && *map.remove("w1") && map.set(large, ""));
  int told = 0;
  for (;;) {
    const auto change = watch->poll();
    EXPECT(change);
    if (!*change) break;
    const bool deleted = (*change)->kind == WASI_MAP_CHANGE_DELETED && (*change)->key == "w1";
    const bool set = (*change)->kind == WASI_MAP_CHANGE_SET && (*change)->key == large;
    EXPECT((deleted || set) && (*change)->version > 0);
    told++;
  }
  EXPECT(told == 2 && map.clear());
  const auto cleared = watch->poll();
  EXPECT(cleared && *cleared && (*cleared)->kind == WASI_MAP_CHANGE_CLEARED);
  // Their number is limited: objects give them back.
  for (int i = 0; i < 100; i++) EXPECT(map.watch());
  return 0;
}

CHECK(handles) {
  map map = shared();
  EXPECT(map.set("key", "1"));
  auto reader = map.duplicate(rights::read | rights::share);
  EXPECT(reader && is_value(reader->allowed(), rights::read | rights::share));
  EXPECT(is(reader->set("key", "2"), errc::not_capable));
  EXPECT(is(reader->duplicate(rights::all), errc::not_capable));
  const auto lent = reader->lend(rights::read, "checks");
  EXPECT(lent);
  const auto borrowed = map::accept(*lent);
  EXPECT(borrowed && (*borrowed->get("key"))->value == "1");
  EXPECT(is(map::accept(*lent), errc::no_entry));
  EXPECT(reader->close() && is(borrowed->get("key"), errc::stale));
  auto second = map.duplicate(rights::read);
  EXPECT(is(second->transfer("checks"), errc::not_capable) && second->exists("key"));
  const auto ticket = map.transfer("checks");
  EXPECT(ticket && map.handle() == 0 && is(map.get("key"), errc::bad_handle));
  const auto moved = map::accept(*ticket);
  EXPECT(moved && is_value(moved->allowed(), rights::all));
  for (int i = 0; i < 5000; i++) EXPECT(moved->duplicate(rights::read));
  return 0;
}

CHECK(references) {
  const map map = shared();
  wasi_map::options options{};
  options.entries_max = 1;
  {
    const auto own = map::create(options);
    EXPECT(own && own->set("in", "side") && is(own->set("in2", ""), errc::no_space));
    EXPECT(own->stat() && own->stat()->entries == 1);
    EXPECT(map.put_map("child", *own));
  }
  const auto child = map.get_map("child");
  EXPECT(child && *child && (*(*child)->get("in"))->value == "side");
  EXPECT(!*map.get_map("none"));
  const auto listed = map.scan("child").next();
  EXPECT(listed && *listed && !(*listed)->value);
  EXPECT(map.set("bytes", "") && is(map.get_map("bytes"), errc::invalid));
  EXPECT(map::create());
  return 0;
}

CHECK(errors) {
  EXPECT(is(map::open("missing", rights::read), errc::no_entry));
  EXPECT(is(map::open("", rights::read), errc::invalid));
  EXPECT(is(map::open(std::string(257, 'n'), rights::read), errc::name_too_long));
  EXPECT(is(map::open("readable", rights::all), errc::not_capable));
  auto readable = map::open("readable", rights::read);
  EXPECT(readable && (*readable->get("host"))->value == "hello");
  EXPECT(is(readable->set("host", ""), errc::not_capable));
  EXPECT(is(readable->scan("").next(), errc::not_capable));
  const auto handle = readable->handle();
  EXPECT(readable->close() && is(map(handle).get("host"), errc::bad_handle));
  return 0;
}

CHECK(regions) {
  const map map = shared();
  const auto made = map.create_region("region", 100000);
  if (is(made, errc::not_supported)) return made.error().number();
  EXPECT(made);
  const auto listed = map.scan("region").next();
  EXPECT(listed && *listed && (*listed)->is_region && !(*listed)->value);
  {
    const auto writing = map.map_region("region", 0, 100000, WASI_MAP_PROT_READ | WASI_MAP_PROT_WRITE);
    if (is(writing, errc::not_supported)) return writing.error().number();
    EXPECT(writing && writing->size() == 100000 && writing->data()[99999] == 0);
    writing->data()[99999] = 7;
  }
  const auto reading = map.map_region("region", 0, 100000, WASI_MAP_PROT_READ);
  EXPECT(reading && reading->view()[99999] == 7);
  EXPECT(is(map.map_region("none", 0, 1, WASI_MAP_PROT_READ), errc::no_entry));
  return 0;
}
