template <class T>
bool again(const std::string &bytes, std::string &out) {
  T value;
  if (value.decode(bytes)) return false;
  out = value.encode();
  return true;
}

static bool message(unsigned long at, const std::string &bytes, std::string &out) {
  switch (at) {
CASES
    default: return false;
  }
}

// Reads lines "type bytes" and writes the bytes of what it read.
int main() {
  static char line[1 << 20];
  while (std::fgets(line, sizeof line, stdin)) {
    char *hex;
    const unsigned long at = std::strtoul(line, &hex, 10);
    std::string bytes, out;
    for (hex++; hex[0] > ' '; hex += 2) bytes.push_back(static_cast<char>(std::stoi(std::string(hex, 2), nullptr, 16)));
    if (message(at, bytes, out)) {
      for (const char byte : out) std::printf("%02x", static_cast<unsigned>(static_cast<unsigned char>(byte)));
      std::printf("\n");
    } else {
      std::printf("error\n");
    }
  }
  return maps();
}
