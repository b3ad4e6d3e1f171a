package wasimap

import (
	"encoding/binary"
	"iter"
	"runtime"
	"time"
	"unsafe"
)

// In the place of a value's length: the entry refers to a map, or is a region.
const (
	isMap    = ^uint32(0)
	isRegion = isMap - 1
)

// Bytes of a page to begin with, and before the key of what is in one.
const (
	pageBytes = 4096
	headBytes = 16
)

// Item is an entry of a scan. A nil value: it refers to a map, or is a region.
type Item struct {
	Key, Value []byte
	Version    uint64
	IsRegion   bool
}

// Scan lists the entries whose keys begin with a prefix, in the order of their keys. An entry that is
// there all the time, unchanged, is listed exactly once. After an error it ends; on [ErrStale] begin
// again.
func (m Map) Scan(prefix []byte) iter.Seq2[Item, error] {
	return func(yield func(Item, error) bool) {
		var cursor [16]byte
		page := make([]byte, pageBytes)
		for {
			used, err := m.turn(prefix, &cursor, &page)
			if err != nil {
				yield(Item{}, err)
				return
			}
			for rest := page[:used]; len(rest) > 0; {
				item, took := unpackItem(rest)
				if took == 0 {
					yield(Item{}, ErrIO)
					return
				}
				if !yield(item, nil) {
					return
				}
				rest = rest[min(took, len(rest)):]
			}
			if cursor == [16]byte{} {
				return
			}
		}
	}
}

func (m Map) turn(prefix []byte, cursor *[16]byte, page *[]byte) (int, error) {
	for {
		var used uint32
		errno := hostScan(m.handle, at(prefix), count(prefix), unsafe.Pointer(cursor),
			at(*page), count(*page), unsafe.Pointer(&used))
		err := check(errno)
		if err != ErrOverflow || int(used) <= len(*page) {
			return min(int(used), len(*page)), err
		}
		*page = make([]byte, used)
	}
}

func unpackItem(bytes []byte) (item Item, took int) {
	key, value, version, ok := head(bytes)
	if !ok {
		return Item{}, 0
	}
	end := headBytes + key
	item = Item{Key: clone(bytes[headBytes:end]), Version: version, IsRegion: value == isRegion}
	if value < isRegion {
		if uint64(len(bytes)) < uint64(end)+uint64(value) {
			return Item{}, 0
		}
		item.Value = clone(bytes[end : end+int(value)])
		end += int(value)
	}
	return item, (end + 7) &^ 7
}

// What is before the key, if that is there.
func head(bytes []byte) (key int, second uint32, version uint64, ok bool) {
	if len(bytes) < headBytes {
		return 0, 0, 0, false
	}
	key = int(binary.LittleEndian.Uint32(bytes))
	second = binary.LittleEndian.Uint32(bytes[4:])
	version = binary.LittleEndian.Uint64(bytes[8:])
	return key, second, version, len(bytes)-headBytes >= key
}

// Never nil, which stands for no value.
func clone(bytes []byte) []byte { return append(make([]byte, 0, len(bytes)), bytes...) }

// Batch is a list of operations that are done in their order, as one step or not at all.
type Batch struct{ ops []batchOp }

type batchOp struct {
	raw        rawOp
	key, value []byte
}

// Done tells what one operation of a batch did.
type Done struct {
	Version uint64 // of a check the one found, of a set or an increment the new one
	Value   int64  // of a delete 1 if there was an entry, of an increment the sum
}

// Check requires the conditions in terms, without changing the entry.
func (b *Batch) Check(key []byte, terms Terms) *Batch { return b.push(1, key, nil, terms.raw()) }

// Set stores a value on terms.
func (b *Batch) Set(key, value []byte, terms Terms) *Batch {
	return b.push(2, key, value, terms.raw())
}

// Delete removes an entry if it is there.
func (b *Batch) Delete(key []byte) *Batch { return b.push(3, key, nil, rawTerms{}) }

// Increment adds to a counter.
func (b *Batch) Increment(key []byte, delta int64) *Batch {
	return b.push(4, key, nil, rawTerms{version: uint64(delta)})
}

func (b *Batch) push(kind uint32, key, value []byte, terms rawTerms) *Batch {
	raw := rawOp{kind: kind, flags: terms.flags, number: terms.version, ttl: terms.ttl}
	b.ops = append(b.ops, batchOp{raw, key, value})
	return b
}

// Run does a batch, and tells what each of its operations did.
func (m Map) Run(batch *Batch) ([]Done, error) {
	var pinner runtime.Pinner
	defer pinner.Unpin()
	address := func(bytes []byte) (uint32, uint32) {
		if len(bytes) == 0 {
			return 0, 0
		}
		pinner.Pin(unsafe.SliceData(bytes))
		return uint32(uintptr(at(bytes))), count(bytes)
	}
	ops := make([]rawOp, len(batch.ops))
	for i, op := range batch.ops {
		ops[i] = op.raw
		ops[i].key, ops[i].keyLen = address(op.key)
		ops[i].value, ops[i].valueLen = address(op.value)
	}
	done := make([]Done, len(ops))
	errno := hostBatch(m.handle, unsafe.Pointer(unsafe.SliceData(ops)), uint32(len(ops)),
		unsafe.Pointer(unsafe.SliceData(done)))
	if err := check(errno); err != nil {
		return nil, err
	}
	return done, nil
}

// Kind tells what has changed.
type Kind uint32

// The kinds of changes.
const (
	EntrySet     Kind = 1 + iota // an entry was stored
	EntryDeleted                 // it was removed
	EntryEnded                   // its time was up
	EntryEvicted                 // it gave way to another
	Cleared                      // all entries were removed at once
	Resync                       // there was more than could wait: read the map again
	Gone                         // the map is gone; nothing follows
)

// Change is what a watch tells. Several changes of one key may be told as the last one.
type Change struct {
	Kind    Kind
	Key     []byte // of an entry
	Version uint64
}

// Watch follows the changes of a map until it is closed.
type Watch struct {
	id   uint32
	page []byte
	rest []byte
}

// Watch follows the changes of keys that begin with a prefix, from now on.
func (m Map) Watch(prefix []byte) (*Watch, error) {
	var id uint32
	errno := hostWatch(m.handle, at(prefix), count(prefix), unsafe.Pointer(&id))
	return &Watch{id: id, page: make([]byte, pageBytes)}, check(errno)
}

// ID is the host's number of it, which wasi_map_on_change is called with.
func (w *Watch) ID() uint32 { return w.id }

// Close ends it.
func (w *Watch) Close() error { return check(hostUnwatch(w.id)) }

// Poll gives the next change, or nil if there is none yet.
func (w *Watch) Poll() (*Change, error) { return w.ask(0) }

// Next waits for the next change, and gives nil after the time is up. Modules that cannot be
// suspended, as filters, do not wait.
func (w *Watch) Next(timeout time.Duration) (*Change, error) {
	return w.ask(max(timeout.Milliseconds(), 1))
}

func (w *Watch) ask(timeoutMs int64) (*Change, error) {
	for len(w.rest) == 0 {
		var used uint32
		errno := hostNext(w.id, timeoutMs, at(w.page), count(w.page), unsafe.Pointer(&used))
		switch err := check(errno); {
		case err == ErrAgain || err == ErrTimedOut:
			return nil, nil
		case err == ErrOverflow && int(used) > len(w.page):
			w.page = make([]byte, used)
		case err != nil:
			return nil, err
		case used == 0:
			return nil, nil
		default:
			w.rest = w.page[:min(int(used), len(w.page))]
		}
	}
	key, kind, version, ok := head(w.rest)
	if !ok {
		w.rest = nil
		return nil, ErrIO
	}
	change := &Change{Kind(kind), clone(w.rest[headBytes : headBytes+key]), version}
	w.rest = w.rest[min((headBytes+key+7)&^7, len(w.rest)):]
	return change, nil
}
