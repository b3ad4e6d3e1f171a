// A function that counts words for everybody: a plain module in C++17.
//
// The caller puts a text into memory of room(length), then calls count_words(length). Each word is a
// counter of the map "words"; the words of one text are added as one step, so that nobody ever sees
// half of a text. most_frequent() gives the address of the most frequent word, as "word=count" with a
// zero behind it. Numbers below 0 are errors.
#include <algorithm>
#include <cctype>
#include <map>

#include "wasi_map.hpp"

namespace {

std::string text;
std::string best;

std::map<std::string, std::int64_t> words_of(std::string_view text) {
  std::map<std::string, std::int64_t> counts;
  std::string word;
  for (std::size_t i = 0; i <= text.size(); i++) {
    const auto c = i < text.size() ? static_cast<unsigned char>(text[i]) : ' ';
    if (std::isalnum(c) || c >= 0x80) {
      word.push_back(static_cast<char>(std::tolower(c)));
    } else if (!word.empty()) {
      counts[std::exchange(word, {})]++;
    }
  }
  return counts;
}

}  // namespace

extern "C" WASI_MAP_EXPORT("room") char *room(std::size_t length) {
  text.assign(length, '\0');
  return text.data();
}

// How many different words there were.
extern "C" WASI_MAP_EXPORT("count_words") int count_words(std::size_t length) {
  using wasi_map::rights;
  const auto words = wasi_map::map::open("words", rights::write);
  if (!words) return -words.error().number();
  const auto counts = words_of(std::string_view(text).substr(0, length));
  wasi_map::batch batch;
  for (const auto &[word, count] : counts) batch.increment(word, count);
  const auto done = words->run(batch);
  return done ? static_cast<int>(counts.size()) : -done.error().number();
}

extern "C" WASI_MAP_EXPORT("most_frequent") const char *most_frequent() {
  using wasi_map::rights;
  best.clear();
  const auto words = wasi_map::map::open("words", rights::list | rights::read);
  if (!words) return best.c_str();
  std::int64_t most = 0;
  auto scan = words->scan();
  for (auto next = scan.next(); next && *next; next = scan.next()) {
    const auto &item = **next;
    if (!item.value || item.value->size() != sizeof most) continue;
    std::int64_t count = 0;
    std::copy_n(item.value->data(), sizeof count, reinterpret_cast<char *>(&count));
    if (count > most) {
      most = count;
      best = item.key;
    }
  }
  if (most > 0) best += "=" + std::to_string(most);
  return best.c_str();
}
