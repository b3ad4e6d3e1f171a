// Written by `weir bindgen`; do not edit. What generated maps stand on.

package PACKAGE

import (
	"encoding/binary"
	"errors"
	"fmt"
	"unicode/utf8"
)

// WeirErrno is the host's answer: a number of WASI preview 1.
type WeirErrno int32

// Some of the host's answers.
const (
	WeirErrAgain        WeirErrno = 6
	WeirErrBadHandle    WeirErrno = 8
	WeirErrNoEntry      WeirErrno = 44
	WeirErrNoSpace      WeirErrno = 51
	WeirErrNotSupported WeirErrno = 58
	WeirErrOverflow     WeirErrno = 61
	WeirErrNotCapable   WeirErrno = 76
)

func (e WeirErrno) Error() string { return fmt.Sprintf("the map answers %d", int32(e)) }

// WeirErrKey says that a key is not of the map's type.
var WeirErrKey = errors.New("a key is not of the map's type")

// WeirRights say what a handle allows.
type WeirRights uint64

// The rights.
const (
	WeirRead WeirRights = 1 << iota
	WeirWrite
	WeirDelete
	WeirList
	WeirWatch
)

// WeirStore is a map of bytes: the host's, or one of a test. Errors are of type WeirErrno.
type WeirStore interface {
	Get(key []byte) (value []byte, version uint64, err error)
	Set(key, value []byte) error
	// SetFor stores a value that ends after some milliseconds, and gives the new version.
	SetFor(key, value []byte, ttlMs uint64) (version uint64, err error)
	Delete(key []byte) error
	Exists(key []byte) (bool, error)
	// CompareAndSwap gives the new version, or with WeirErrAgain the one that the entry has.
	CompareAndSwap(key []byte, expected uint64, value []byte) (version uint64, err error)
	Increment(key []byte, delta int64) (int64, error)
	// Scan gives a page of entries: {u32 klen, u32 vlen, u64 version, key, value}, each padded to 8.
	// The cursor is zero at the beginning and at the end.
	Scan(prefix []byte, cursor *[16]byte) ([]byte, error)
	Close() error
}

// WeirEntry is an entry of a scan.
type WeirEntry[K, V any] struct {
	Key     K
	Value   V
	Version uint64
}

// How keys and values of a map become bytes.
type weirForms[K, V any] struct {
	key     func(K) []byte
	fromKey func([]byte) (K, bool)
	encode  func(V) []byte
	decode  func([]byte) (V, error)
}

// WeirMap is a typed map over one of bytes.
type WeirMap[K, V any] struct {
	WeirStore
	forms *weirForms[K, V]
}

// Get gives the value and its version; false: there is no such entry.
func (m WeirMap[K, V]) Get(key K) (value V, version uint64, ok bool, err error) {
	bytes, version, err := m.WeirStore.Get(m.forms.key(key))
	if err != nil {
		if errors.Is(err, WeirErrNoEntry) {
			err = nil
		}
		return value, 0, false, err
	}
	value, err = m.forms.decode(bytes)
	return value, version, err == nil, err
}

// Set stores a value.
func (m WeirMap[K, V]) Set(key K, value V) error {
	return m.WeirStore.Set(m.forms.key(key), m.forms.encode(value))
}

// SetFor stores a value that ends after some milliseconds, and gives its version.
func (m WeirMap[K, V]) SetFor(key K, value V, ttlMs uint64) (uint64, error) {
	return m.WeirStore.SetFor(m.forms.key(key), m.forms.encode(value), ttlMs)
}

// Delete removes an entry, and says whether there was one.
func (m WeirMap[K, V]) Delete(key K) (bool, error) {
	err := m.WeirStore.Delete(m.forms.key(key))
	if errors.Is(err, WeirErrNoEntry) {
		return false, nil
	}
	return err == nil, err
}

// Exists says whether there is such an entry.
func (m WeirMap[K, V]) Exists(key K) (bool, error) {
	return m.WeirStore.Exists(m.forms.key(key))
}

// CompareAndSwap stores a value if the entry has this version (0: is not there), and gives the new
// version; with WeirErrAgain it is the version that the entry has.
func (m WeirMap[K, V]) CompareAndSwap(key K, expected uint64, value V) (uint64, error) {
	return m.WeirStore.CompareAndSwap(m.forms.key(key), expected, m.forms.encode(value))
}

// Scan gives all entries whose keys begin with these bytes, in the order of their keys.
func (m WeirMap[K, V]) Scan(prefix []byte) ([]WeirEntry[K, V], error) {
	var entries []WeirEntry[K, V]
	var cursor [16]byte
	for {
		page, err := m.WeirStore.Scan(prefix, &cursor)
		if err != nil {
			return nil, err
		}
		for len(page) >= 16 {
			key := uint64(binary.LittleEndian.Uint32(page))
			size := key + uint64(binary.LittleEndian.Uint32(page[4:]))
			if size > uint64(len(page)-16) {
				return nil, WeirErrKey
			}
			entry := WeirEntry[K, V]{Version: binary.LittleEndian.Uint64(page[8:])}
			var ok bool
			if entry.Key, ok = m.forms.fromKey(page[16 : 16+key]); !ok {
				return nil, WeirErrKey
			}
			if entry.Value, err = m.forms.decode(page[16+key : 16+size]); err != nil {
				return nil, err
			}
			entries = append(entries, entry)
			page = page[min(uint64(len(page)), (16+size+7)&^7):]
		}
		if cursor == [16]byte{} {
			return entries, nil
		}
	}
}

// WeirCounters is a map of numbers that can be added to.
type WeirCounters[K any] struct{ WeirMap[K, int64] }

// Increment adds to a counter, which begins at 0, and gives what it is then.
func (m WeirCounters[K]) Increment(key K, delta int64) (int64, error) {
	return m.WeirStore.Increment(m.forms.key(key), delta)
}

// Keys, whose bytes are in the order of their values.

func weirNumberKey(value uint64, size int, isSigned bool) []byte {
	if isSigned {
		value ^= 1 << (8*size - 1)
	}
	var bytes [8]byte
	binary.BigEndian.PutUint64(bytes[:], value)
	return append([]byte{}, bytes[8-size:]...)
}

func weirFromNumberKey(bytes []byte, size int, isSigned bool) (uint64, bool) {
	if len(bytes) != size {
		return 0, false
	}
	value := uint64(0)
	for _, byte := range bytes {
		value = value<<8 | uint64(byte)
	}
	if isSigned {
		value ^= 1 << (8*size - 1)
	}
	return value, true
}

func weirBoolKey(key bool) []byte {
	if key {
		return []byte{1}
	}
	return []byte{0}
}

func weirFromBoolKey(bytes []byte) (bool, bool) {
	return len(bytes) == 1 && bytes[0] == 1, len(bytes) == 1 && bytes[0] <= 1
}

func weirTextKey(key string) []byte                { return []byte(key) }
func weirFromTextKey(bytes []byte) (string, bool)  { return string(bytes), utf8.Valid(bytes) }
func weirBytesKey(key []byte) []byte               { return key }
func weirFromBytesKey(bytes []byte) ([]byte, bool) { return append([]byte{}, bytes...), true }

// Values that are no messages.

func weirText(value string) []byte { return []byte(value) }

func weirFromText(bytes []byte) (string, error) {
	if !utf8.Valid(bytes) {
		return "", &WeirDecodeError{WeirUTF8, 0}
	}
	return string(bytes), nil
}

func weirData(value []byte) []byte              { return value }
func weirFromData(bytes []byte) ([]byte, error) { return append([]byte{}, bytes...), nil }

func weirCounter(value int64) []byte { return binary.LittleEndian.AppendUint64(nil, uint64(value)) }

func weirFromCounter(bytes []byte) (int64, error) {
	if len(bytes) != 8 {
		return 0, &WeirDecodeError{WeirLength, 0}
	}
	return int64(binary.LittleEndian.Uint64(bytes)), nil
}

// Members of a record that C laid out.

func weirPut(out []byte, at, size int, value uint64) {
	for ; size > 0; size-- {
		out[at] = byte(value)
		at, value = at+1, value>>8
	}
}

func weirPick(bytes []byte, at, size int) uint64 {
	value := uint64(0)
	for size--; size >= 0; size-- {
		value = value<<8 | uint64(bytes[at+size])
	}
	return value
}

func weirBit(value bool) uint64 {
	if value {
		return 1
	}
	return 0
}
