// A function that says whether something is seen for the first time: a plain module.
//
// Payments and messages arrive twice now and then. first(id) answers 1 for the first caller with a
// number, on whatever worker, and 0 for all others within the hour; each entry of the map "seen" ends
// by itself. seen_count() answers how many there are. Numbers below 0 are errors.
import { Errno, Rights, SharedMap, Terms } from "../../../sdk/assemblyscript/assembly/index";

const HOUR_MS: u64 = 3600 * 1000;

export function first(id: u64): i32 {
  const seen = SharedMap.open("seen", Rights.WRITE);
  if (!seen.ok) return -seen.errno;
  const key = new Uint8Array(8);
  store<u64>(key.dataStart, id);
  const terms = new Terms();
  terms.ifAbsent = true;
  terms.ttlMs = HOUR_MS;
  const stored = seen.value.setWith(key, new Uint8Array(0), terms);
  seen.value.close();
  if (stored.errno == Errno.AGAIN) return 0;
  return stored.ok ? 1 : -stored.errno;
}

export function seen_count(): i64 {
  const seen = SharedMap.open("seen", Rights.READ);
  if (!seen.ok) return -seen.errno;
  const stat = seen.value.stat();
  seen.value.close();
  return stat.ok ? stat.value.entries : -stat.errno;
}
