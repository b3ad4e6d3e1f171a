// Package wasimap is the guest's side of WASI-Map: shared maps for WebAssembly modules.
//
// A [Map] is a handle to entries of key and value that other modules may share. The host grants maps
// by name to each use of a module; whether one is a table in memory, a file or a cluster of servers
// is not the module's business. It works in Proxy-Wasm plugins and in plain modules alike:
//
//	GOOS=wasip1 GOARCH=wasm go build -buildmode=c-shared -o guest.wasm .
//
// Errors are of type [Errno]; whatever fails has changed nothing. Elsewhere than on WebAssembly
// there is no host, and every call fails with [ErrNotSupported].
//
// A module that wants to be told of changes, or of maps that are gone, exports the functions itself:
//
//	//go:wasmexport wasi_map_on_change
//	func onChange(context, watch uint32) { … }
//
//	//go:wasmexport wasi_map_on_release
//	func onRelease(mapID int64) { … }
package wasimap

import (
	"fmt"
	"time"
	"unsafe"
)

// Errno says why the host refused an operation, by the number of WASI preview 1.
type Errno int32

// The errors of the host.
const (
	ErrAgain        Errno = 6  // a condition does not hold
	ErrBadHandle    Errno = 8  // the handle is closed, or was moved away
	ErrExists       Errno = 20 // it is there already
	ErrFault        Errno = 21 // a range is not in the module's memory
	ErrInvalid      Errno = 28 // an argument means nothing, or the entry is of another kind
	ErrIO           Errno = 29 // the map's back end failed
	ErrNameTooLong  Errno = 37 // names have 1 to 256 bytes
	ErrNoEntry      Errno = 44 // nothing is there, or nothing that this module may know of
	ErrNoMemory     Errno = 48 // too many handles, watches or maps
	ErrNoSpace      Errno = 51 // a quota is used up
	ErrNotSupported Errno = 58 // the back end, or the host, cannot do that
	ErrOverflow     Errno = 61 // a number or an answer does not fit
	ErrStale        Errno = 72 // what was lent has been taken back, or a scan is forgotten
	ErrTimedOut     Errno = 73 // the back end did not answer in time
	ErrNotCapable   Errno = 76 // a right is missing
)

var texts = map[Errno]string{
	ErrAgain:        "the entry is not as the condition says",
	ErrBadHandle:    "the handle is closed, or was moved away",
	ErrExists:       "it is there already",
	ErrFault:        "a range is not in this module's memory",
	ErrInvalid:      "an argument means nothing, or the entry is of another kind",
	ErrIO:           "the map's back end failed",
	ErrNameTooLong:  "a map's name has at most 256 bytes",
	ErrNoEntry:      "there is no such entry, map or ticket",
	ErrNoMemory:     "there are too many handles, watches or maps",
	ErrNoSpace:      "a quota of the map is used up",
	ErrNotSupported: "this map, or this host, cannot do that",
	ErrOverflow:     "the number or the answer does not fit",
	ErrStale:        "what was lent has been taken back, or the scan is forgotten",
	ErrTimedOut:     "the map's back end did not answer in time",
	ErrNotCapable:   "a right is missing",
}

// Error says it in words.
func (e Errno) Error() string {
	if text, known := texts[e]; known {
		return "wasi-map: " + text
	}
	return fmt.Sprintf("wasi-map: unknown error %d", int32(e))
}

// Rights say what a handle allows. They never grow.
type Rights uint64

// The rights, and all of them.
const (
	Read     Rights = 1 << iota // entries, and the map's numbers
	Write                       // entries and counters
	Delete                      // entries
	List                        // entries
	Watching                    // being told of changes
	Create                      // references to other maps
	Share                       // lending, moving, being referred to
	MapRead                     // regions, to read them; for others, to whom a map is lent
	MapWrite                    // regions, to write them
	Clear                       // all entries at once
	All      Rights = 1<<iota - 1
)

// Map is a handle to a map. It stays open until it is closed or the instance ends.
type Map struct{ handle uint32 }

// Ticket carries a map to the use (filter or function of the configuration) it was made out to.
type Ticket [16]byte

// Options say how a map of one's own is made. Zeros: as the host likes.
type Options struct {
	Entries    uint64        // at most
	Bytes      uint64        // at most
	ValueBytes uint64        // of one value at most
	TTL        time.Duration // of entries that are written without one; 0: they stay
	Evict      bool          // a full map lets entries go that were not used for long
}

// Terms say what must hold of an entry, and how long it lasts. Zero: nothing, and as the map says.
type Terms struct {
	IfAbsent  bool          // there must be no such entry
	IfVersion uint64        // the entry must have this version, if it is not 0
	TTL       time.Duration // in whole milliseconds from 1 on; 0: as the map says
}

// Stat are numbers of a map.
type Stat struct {
	Entries, Bytes, Version, QuotaBytes, References, Flags uint64
}

// Open opens a map that the configuration grants by this name.
func Open(name string, rights Rights) (Map, error) {
	var handle uint32
	errno := hostOpen(text(name), length(name), uint64(rights), unsafe.Pointer(&handle))
	return Map{handle}, check(errno)
}

// New makes a map of one's own, with all rights; it lives while something refers to it.
func New(options Options) (Map, error) {
	raw := rawOptions{
		entries: options.Entries, bytes: options.Bytes, valueBytes: options.ValueBytes,
		ttl: milliseconds(options.TTL),
	}
	if options.Evict {
		raw.eviction = 1
	}
	var handle uint32
	errno := hostCreate(unsafe.Pointer(&raw), unsafe.Pointer(&handle))
	return Map{handle}, check(errno)
}

// Accept takes a map that another module has lent or moved here.
func Accept(ticket Ticket) (Map, error) {
	var handle uint32
	errno := hostAccept(unsafe.Pointer(&ticket), unsafe.Pointer(&handle))
	return Map{handle}, check(errno)
}

// Handle is the host's number of it.
func (m Map) Handle() uint32 { return m.handle }

// Close gives the handle back.
func (m Map) Close() error { return check(hostClose(m.handle)) }

// Duplicate makes another handle to the same map, with fewer rights or the same.
func (m Map) Duplicate(rights Rights) (Map, error) {
	var handle uint32
	errno := hostDup(m.handle, uint64(rights), unsafe.Pointer(&handle))
	return Map{handle}, check(errno)
}

// Lend lends the map to a use, until the handle is closed or the request that is being served ends.
func (m Map) Lend(rights Rights, to string) (Ticket, error) {
	var ticket Ticket
	errno := hostLend(m.handle, uint64(rights), text(to), length(to), unsafe.Pointer(&ticket))
	return ticket, check(errno)
}

// Transfer moves the handle to a use: it is gone here at once, unless that is refused.
func (m Map) Transfer(to string) (Ticket, error) {
	var ticket Ticket
	errno := hostTransfer(m.handle, text(to), length(to), unsafe.Pointer(&ticket))
	return ticket, check(errno)
}

// Rights tells what the handle allows.
func (m Map) Rights() (Rights, error) {
	var rights Rights
	errno := hostRights(m.handle, unsafe.Pointer(&rights))
	return rights, check(errno)
}

// Stat tells the map's numbers.
func (m Map) Stat() (Stat, error) {
	var stat Stat
	errno := hostStat(m.handle, unsafe.Pointer(&stat))
	return stat, check(errno)
}

// Get gives the value of a key and its version; [ErrNoEntry] if there is none.
func (m Map) Get(key []byte) (value []byte, version uint64, err error) {
	buffer := make([]byte, 256)
	for {
		size, version, err := m.GetInto(key, buffer)
		if err == ErrOverflow && size > len(buffer) {
			buffer = make([]byte, size)
			continue
		}
		if err != nil {
			return nil, 0, err
		}
		return buffer[:size], version, nil
	}
}

// GetInto copies the value of a key into a buffer. With [ErrOverflow] size tells what is needed.
func (m Map) GetInto(key, buffer []byte) (size int, version uint64, err error) {
	var bytes uint32
	errno := hostGet(m.handle, at(key), count(key), at(buffer), count(buffer),
		unsafe.Pointer(&bytes), unsafe.Pointer(&version))
	return int(bytes), version, check(errno)
}

// Set stores a value, whatever was there.
func (m Map) Set(key, value []byte) error {
	return check(hostSet(m.handle, at(key), count(key), at(value), count(value)))
}

// SetWith stores a value on terms, and gives its version. Terms that do not hold: [ErrAgain].
func (m Map) SetWith(key, value []byte, terms Terms) (version uint64, err error) {
	raw := terms.raw()
	errno := hostSetWith(m.handle, at(key), count(key), at(value), count(value),
		unsafe.Pointer(&raw), unsafe.Pointer(&version))
	return version, check(errno)
}

// Delete removes an entry, and tells whether it was there.
func (m Map) Delete(key []byte) (bool, error) {
	err := check(hostDelete(m.handle, at(key), count(key)))
	if err == ErrNoEntry {
		return false, nil
	}
	return err == nil, err
}

// Exists tells whether there is an entry.
func (m Map) Exists(key []byte) (bool, error) {
	var exists uint32
	errno := hostExists(m.handle, at(key), count(key), unsafe.Pointer(&exists))
	return exists != 0, check(errno)
}

// CompareAndSwap stores a value if the entry has the expected version, 0 for "there is none", and
// gives the new one. With [ErrAgain] it is the version that the entry has.
func (m Map) CompareAndSwap(key []byte, expected uint64, value []byte) (version uint64, err error) {
	errno := hostCompareAndSwap(m.handle, at(key), count(key), expected, at(value), count(value),
		unsafe.Pointer(&version))
	return version, check(errno)
}

// Increment adds to a counter, a value of 8 bytes which begins at 0, and gives the sum. No two
// callers get the same one, and it never wraps: [ErrOverflow].
func (m Map) Increment(key []byte, delta int64) (sum int64, err error) {
	errno := hostIncrement(m.handle, at(key), count(key), delta, unsafe.Pointer(&sum))
	return sum, check(errno)
}

// Clear removes all entries.
func (m Map) Clear() error { return check(hostClear(m.handle)) }

// PutMap lets an entry refer to another map, which lives as long as it does.
func (m Map) PutMap(key []byte, child Map) error {
	return check(hostPutMap(m.handle, at(key), count(key), child.handle))
}

// GetMap opens the map that an entry refers to.
func (m Map) GetMap(key []byte) (Map, error) {
	var handle uint32
	errno := hostGetMap(m.handle, at(key), count(key), unsafe.Pointer(&handle))
	return Map{handle}, check(errno)
}

// CreateRegion makes a region of zeros as the value of a key, for modules that map it. Go's runtime
// takes for granted that nobody else grows its memory, so Go gets a region by [Map.Get], as a copy.
func (m Map) CreateRegion(key []byte, size uint64) error {
	return check(hostRegionCreate(m.handle, at(key), count(key), size))
}

func (t Terms) raw() rawTerms {
	raw := rawTerms{version: t.IfVersion, ttl: milliseconds(t.TTL)}
	if t.IfAbsent {
		raw.flags |= 1
	}
	if t.IfVersion != 0 {
		raw.flags |= 2
	}
	if t.TTL != 0 {
		raw.flags |= 4
	}
	return raw
}

// Times below a millisecond count as one, negative ones as what the host refuses.
func milliseconds(ttl time.Duration) uint64 {
	if ttl > 0 && ttl < time.Millisecond {
		return 1
	}
	return uint64(max(ttl.Milliseconds(), 0))
}

func check(errno int32) error {
	if errno == 0 {
		return nil
	}
	return Errno(errno)
}

func at(bytes []byte) unsafe.Pointer { return unsafe.Pointer(unsafe.SliceData(bytes)) }

func count(bytes []byte) uint32 { return uint32(len(bytes)) }

func text(name string) unsafe.Pointer { return unsafe.Pointer(unsafe.StringData(name)) }

func length(name string) uint32 { return uint32(len(name)) }
