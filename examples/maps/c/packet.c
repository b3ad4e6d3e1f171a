/* The C half of an exchange of structs between languages; ../rust/packet is the other.
 *
 * process_packet takes the DataPacket of a number out of the map "packets" and doubles its value, by
 * compare-and-swap: if somebody else changes it meanwhile, it begins again. process_packet_region
 * does it in place, in a region that is mapped into this module's memory. Both answer 0, or the
 * number of the error. No C library is needed.
 */
#include "wasi_map.h"

struct DataPacket {
  uint32_t id;
  double value;
};

WASI_MAP_ASSERT(sizeof(struct DataPacket) == 16 && offsetof(struct DataPacket, value) == 8,
                "as Rust's repr(C) lays it out");

static const char NAME[] = "packets";
#define NAME_LEN (sizeof NAME - 1)

static int32_t double_value(wasi_map_handle map, uint32_t id) {
  for (;;) {
    struct DataPacket packet;
    size_t size;
    uint64_t version;
    int32_t failed = wasi_map_get(map, &id, sizeof id, &packet, sizeof packet, &size, &version);
    if (failed) return failed;
    if (size != sizeof packet || packet.id != id) return WASI_MAP_INVAL;
    packet.value *= 2;
    failed = wasi_map_compare_and_swap(map, &id, sizeof id, version, &packet, sizeof packet, &version);
    if (failed != WASI_MAP_AGAIN) return failed;
  }
}

static int32_t double_in_place(wasi_map_handle map, uint32_t id) {
  void *address;
  int32_t failed = wasi_map_region_map(map, &id, sizeof id, 0, sizeof(struct DataPacket),
                                       WASI_MAP_PROT_READ | WASI_MAP_PROT_WRITE, &address);
  if (failed) return failed;
  struct DataPacket *packet = address;
  if (packet->id == id) {
    packet->value *= 2;
  } else {
    failed = WASI_MAP_INVAL;
  }
  int32_t unmapped = wasi_map_region_unmap(address, sizeof *packet);
  return failed ? failed : unmapped;
}

WASI_MAP_EXPORT("process_packet") int32_t process_packet(uint32_t id) {
  wasi_map_handle map;
  int32_t failed = wasi_map_open(NAME, NAME_LEN, WASI_MAP_READ | WASI_MAP_WRITE, &map);
  if (failed) return failed;
  failed = double_value(map, id);
  int32_t closed = wasi_map_close(map);
  return failed ? failed : closed;
}

WASI_MAP_EXPORT("process_packet_region") int32_t process_packet_region(uint32_t id) {
  wasi_map_handle map;
  int32_t failed = wasi_map_open(NAME, NAME_LEN, WASI_MAP_MAP_READ | WASI_MAP_MAP_WRITE, &map);
  if (failed) return failed;
  failed = double_in_place(map, id);
  int32_t closed = wasi_map_close(map);
  return failed ? failed : closed;
}
