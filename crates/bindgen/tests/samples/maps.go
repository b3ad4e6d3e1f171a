package main

import (
	"encoding/binary"
	"sort"

	gen "sample/gen"
)

type slot struct {
	value   []byte
	version uint64
}

type memory struct {
	entries map[string]slot
	last    uint64
}

func (m *memory) put(key, value []byte) error {
	if m.entries == nil {
		m.entries = map[string]slot{}
	}
	m.last++
	m.entries[string(key)] = slot{append([]byte{}, value...), m.last}
	return nil
}

func (m *memory) Get(key []byte) ([]byte, uint64, error) {
	found, ok := m.entries[string(key)]
	if !ok {
		return nil, 0, gen.WeirErrNoEntry
	}
	return found.value, found.version, nil
}

func (m *memory) Set(key, value []byte) error { return m.put(key, value) }

func (m *memory) SetFor(key, value []byte, _ uint64) (uint64, error) {
	return m.last + 1, m.put(key, value)
}

func (m *memory) Delete(key []byte) error {
	_, _, err := m.Get(key)
	delete(m.entries, string(key))
	return err
}

func (m *memory) Exists(key []byte) (bool, error) {
	_, ok := m.entries[string(key)]
	return ok, nil
}

func (m *memory) CompareAndSwap(key []byte, expected uint64, value []byte) (uint64, error) {
	if found := m.entries[string(key)].version; found != expected {
		return found, gen.WeirErrAgain
	}
	m.put(key, value)
	return m.last, nil
}

func (m *memory) Increment(key []byte, delta int64) (int64, error) {
	value := delta
	if found := m.entries[string(key)].value; len(found) == 8 {
		value += int64(binary.LittleEndian.Uint64(found))
	}
	return value, m.put(key, binary.LittleEndian.AppendUint64(nil, uint64(value)))
}

// One entry at a time.
func (m *memory) Scan(prefix []byte, cursor *[16]byte) ([]byte, error) {
	var keys []string
	for key := range m.entries {
		keys = append(keys, key)
	}
	sort.Strings(keys)
	key := keys[cursor[0]]
	found := m.entries[key]
	page := binary.LittleEndian.AppendUint32(nil, uint32(len(key)))
	page = binary.LittleEndian.AppendUint32(page, uint32(len(found.value)))
	page = binary.LittleEndian.AppendUint64(page, found.version)
	page = append(append(page, key...), found.value...)
	for len(page)%8 != 0 {
		page = append(page, 0)
	}
	if cursor[0]++; int(cursor[0]) == len(keys) {
		cursor[0] = 0
	}
	return page, nil
}

func (m *memory) Close() error { return nil }

func maps() {
	users := gen.UsersMapOver(&memory{})
	_, _, ok, err := users.Get("ann")
	check(!ok && err == nil, "nobody is there")
	check(users.Set("ann", gen.User{Name: "Ann", Id: -7}) == nil, "set")
	ann, version, ok, err := users.Get("ann")
	check(ok && err == nil && ann.Name == "Ann" && ann.Id == -7 && version == 1, "get")
	version, err = users.CompareAndSwap("ann", 1, gen.User{})
	check(version == 2 && err == nil, "swap")
	version, err = users.CompareAndSwap("ann", 1, gen.User{})
	check(version == 2 && err == gen.WeirErrAgain, "swap of an old version")
	ok, err = users.Delete("ann")
	check(ok && err == nil, "delete")
	ok, err = users.Delete("ann")
	check(!ok && err == nil, "delete again")

	shapes := gen.ShapesMapOver(&memory{})
	for _, key := range []int32{5, -5, 0, -1 << 31} {
		shapes.Set(key, gen.Shape{Case: gen.ShapeCircle, Circle: 0.5})
	}
	entries, err := shapes.Scan(nil)
	check(err == nil && len(entries) == 4 && entries[0].Key == -1<<31 && entries[1].Key == -5 && entries[3].Key == 5, "order")
	check(entries[3].Value.Case == gen.ShapeCircle && entries[3].Value.Circle == 0.5, "shape")
	check(gen.Shape{}.Case == gen.ShapeNothing, "the first case is the default")

	store := &memory{}
	packets := gen.PacketsMapOver(store)
	packets.Set(1, gen.DataPacket{Id: 7, Value: 0.5})
	check(string(store.entries["\x00\x00\x00\x01"].value) == "\x07\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\xe0\x3f", "layout")
	frames := gen.FramesMapOver(store)
	frame := gen.Frame{Kind: 1, Packet: gen.DataPacket{Id: 7, Value: 0.5}, Colour: gen.ColourBlue, Last: true, Delta: -2}
	frames.Set(2, frame)
	again, _, ok, err := frames.Get(2)
	check(ok && err == nil && again == frame, "frame")
	store.entries["\x00\x02"].value[28] = 2
	_, _, ok, err = frames.Get(2)
	check(!ok && err.(*gen.WeirDecodeError).Fault == gen.WeirRange, "a bool of 2")

	counters := gen.CountersMapOver(&memory{})
	counters.Increment("hits", -3)
	value, err := counters.Increment("hits", 5)
	check(value == 2 && err == nil, "increment")
	value, _, ok, _ = counters.Get("hits")
	check(value == 2 && ok, "counter")
	_, err = gen.OpenUsersMap(gen.WeirRead)
	check(err == gen.WeirErrNotSupported, "there is no host here")
}
