// Written by `weir bindgen`; do not edit. The host's maps.

package PACKAGE

import "unsafe"

//go:wasmimport wasi_map_v1 open
func weirHostOpen(name unsafe.Pointer, size uint32, rights uint64, handle unsafe.Pointer) int32

//go:wasmimport wasi_map_v1 close
func weirHostClose(handle uint32) int32

//go:wasmimport wasi_map_v1 get
func weirHostGet(handle uint32, key unsafe.Pointer, keySize uint32, room unsafe.Pointer, roomSize uint32, size, version unsafe.Pointer) int32

//go:wasmimport wasi_map_v1 set
func weirHostSet(handle uint32, key unsafe.Pointer, keySize uint32, value unsafe.Pointer, size uint32) int32

//go:wasmimport wasi_map_v1 set_with
func weirHostSetWith(handle uint32, key unsafe.Pointer, keySize uint32, value unsafe.Pointer, size uint32, options, version unsafe.Pointer) int32

//go:wasmimport wasi_map_v1 delete
func weirHostDelete(handle uint32, key unsafe.Pointer, keySize uint32) int32

//go:wasmimport wasi_map_v1 exists
func weirHostExists(handle uint32, key unsafe.Pointer, keySize uint32, out unsafe.Pointer) int32

//go:wasmimport wasi_map_v1 compare_and_swap
func weirHostCompareAndSwap(handle uint32, key unsafe.Pointer, keySize uint32, expected uint64, value unsafe.Pointer, size uint32, version unsafe.Pointer) int32

//go:wasmimport wasi_map_v1 increment
func weirHostIncrement(handle uint32, key unsafe.Pointer, keySize uint32, delta int64, value unsafe.Pointer) int32

//go:wasmimport wasi_map_v1 scan
func weirHostScan(handle uint32, prefix unsafe.Pointer, prefixSize uint32, cursor, room unsafe.Pointer, roomSize uint32, used unsafe.Pointer) int32

type weirHost struct{ handle uint32 }

func weirOpen(name string, rights WeirRights) (WeirStore, error) {
	host := &weirHost{}
	number := weirHostOpen(weirAt([]byte(name)), uint32(len(name)), uint64(rights), unsafe.Pointer(&host.handle))
	return host, weirAnswer(number)
}

func weirAnswer(number int32) error {
	if number != 0 {
		return WeirErrno(number)
	}
	return nil
}

func weirAt(bytes []byte) unsafe.Pointer { return unsafe.Pointer(unsafe.SliceData(bytes)) }

// Calls with a larger buffer until the answer fits.
func weirFill(call func(room unsafe.Pointer, roomSize uint32, size unsafe.Pointer) int32) ([]byte, error) {
	room := make([]byte, 512)
	for {
		var size uint32
		number := WeirErrno(call(weirAt(room), uint32(len(room)), unsafe.Pointer(&size)))
		if number == WeirErrOverflow && size > uint32(len(room)) {
			room = make([]byte, size)
			continue
		}
		if number != 0 {
			return nil, number
		}
		return room[:size], nil
	}
}

func (h *weirHost) Get(key []byte) (value []byte, version uint64, err error) {
	value, err = weirFill(func(room unsafe.Pointer, roomSize uint32, size unsafe.Pointer) int32 {
		return weirHostGet(h.handle, weirAt(key), uint32(len(key)), room, roomSize, size, unsafe.Pointer(&version))
	})
	return value, version, err
}

func (h *weirHost) Set(key, value []byte) error {
	return weirAnswer(weirHostSet(h.handle, weirAt(key), uint32(len(key)), weirAt(value), uint32(len(value))))
}

func (h *weirHost) SetFor(key, value []byte, ttlMs uint64) (version uint64, err error) {
	options := [3]uint64{4, 0, ttlMs}
	number := weirHostSetWith(h.handle, weirAt(key), uint32(len(key)), weirAt(value), uint32(len(value)), unsafe.Pointer(&options), unsafe.Pointer(&version))
	return version, weirAnswer(number)
}

func (h *weirHost) Delete(key []byte) error {
	return weirAnswer(weirHostDelete(h.handle, weirAt(key), uint32(len(key))))
}

func (h *weirHost) Exists(key []byte) (bool, error) {
	var out uint32
	number := weirHostExists(h.handle, weirAt(key), uint32(len(key)), unsafe.Pointer(&out))
	return out != 0, weirAnswer(number)
}

func (h *weirHost) CompareAndSwap(key []byte, expected uint64, value []byte) (version uint64, err error) {
	number := weirHostCompareAndSwap(h.handle, weirAt(key), uint32(len(key)), expected, weirAt(value), uint32(len(value)), unsafe.Pointer(&version))
	return version, weirAnswer(number)
}

func (h *weirHost) Increment(key []byte, delta int64) (value int64, err error) {
	number := weirHostIncrement(h.handle, weirAt(key), uint32(len(key)), delta, unsafe.Pointer(&value))
	return value, weirAnswer(number)
}

func (h *weirHost) Scan(prefix []byte, cursor *[16]byte) ([]byte, error) {
	return weirFill(func(room unsafe.Pointer, roomSize uint32, used unsafe.Pointer) int32 {
		return weirHostScan(h.handle, weirAt(prefix), uint32(len(prefix)), unsafe.Pointer(cursor), room, roomSize, used)
	})
}

func (h *weirHost) Close() error { return weirAnswer(weirHostClose(h.handle)) }
