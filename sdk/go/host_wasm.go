package wasimap

import "unsafe"

// The functions of wasi_map_v1, by the names that the host has them under.

//go:wasmimport wasi_map_v1 open
func hostOpen(name unsafe.Pointer, nameLen uint32, rights uint64, handleOut unsafe.Pointer) int32

//go:wasmimport wasi_map_v1 create
func hostCreate(options, handleOut unsafe.Pointer) int32

//go:wasmimport wasi_map_v1 close
func hostClose(handle uint32) int32

//go:wasmimport wasi_map_v1 dup
func hostDup(handle uint32, rights uint64, handleOut unsafe.Pointer) int32

//go:wasmimport wasi_map_v1 lend
func hostLend(handle uint32, rights uint64, to unsafe.Pointer, toLen uint32, ticketOut unsafe.Pointer) int32

//go:wasmimport wasi_map_v1 transfer
func hostTransfer(handle uint32, to unsafe.Pointer, toLen uint32, ticketOut unsafe.Pointer) int32

//go:wasmimport wasi_map_v1 accept
func hostAccept(ticket, handleOut unsafe.Pointer) int32

//go:wasmimport wasi_map_v1 rights
func hostRights(handle uint32, rightsOut unsafe.Pointer) int32

//go:wasmimport wasi_map_v1 stat
func hostStat(handle uint32, statOut unsafe.Pointer) int32

//go:wasmimport wasi_map_v1 get
func hostGet(handle uint32, key unsafe.Pointer, keyLen uint32, buf unsafe.Pointer, bufLen uint32, sizeOut, versionOut unsafe.Pointer) int32

//go:wasmimport wasi_map_v1 set
func hostSet(handle uint32, key unsafe.Pointer, keyLen uint32, value unsafe.Pointer, valueLen uint32) int32

//go:wasmimport wasi_map_v1 set_with
func hostSetWith(handle uint32, key unsafe.Pointer, keyLen uint32, value unsafe.Pointer, valueLen uint32, terms, versionOut unsafe.Pointer) int32

//go:wasmimport wasi_map_v1 delete
func hostDelete(handle uint32, key unsafe.Pointer, keyLen uint32) int32

//go:wasmimport wasi_map_v1 exists
func hostExists(handle uint32, key unsafe.Pointer, keyLen uint32, out unsafe.Pointer) int32

//go:wasmimport wasi_map_v1 compare_and_swap
func hostCompareAndSwap(handle uint32, key unsafe.Pointer, keyLen uint32, expected uint64, value unsafe.Pointer, valueLen uint32, versionOut unsafe.Pointer) int32

//go:wasmimport wasi_map_v1 increment
func hostIncrement(handle uint32, key unsafe.Pointer, keyLen uint32, delta int64, valueOut unsafe.Pointer) int32

//go:wasmimport wasi_map_v1 scan
func hostScan(handle uint32, prefix unsafe.Pointer, prefixLen uint32, cursor, buf unsafe.Pointer, bufLen uint32, usedOut unsafe.Pointer) int32

//go:wasmimport wasi_map_v1 batch
func hostBatch(handle uint32, ops unsafe.Pointer, count uint32, results unsafe.Pointer) int32

//go:wasmimport wasi_map_v1 clear
func hostClear(handle uint32) int32

//go:wasmimport wasi_map_v1 watch
func hostWatch(handle uint32, prefix unsafe.Pointer, prefixLen uint32, watchOut unsafe.Pointer) int32

//go:wasmimport wasi_map_v1 next
func hostNext(watch uint32, timeoutMs int64, buf unsafe.Pointer, bufLen uint32, usedOut unsafe.Pointer) int32

//go:wasmimport wasi_map_v1 unwatch
func hostUnwatch(watch uint32) int32

//go:wasmimport wasi_map_v1 put_map
func hostPutMap(handle uint32, key unsafe.Pointer, keyLen, child uint32) int32

//go:wasmimport wasi_map_v1 get_map
func hostGetMap(handle uint32, key unsafe.Pointer, keyLen uint32, handleOut unsafe.Pointer) int32

//go:wasmimport wasi_map_v1 region_create
func hostRegionCreate(handle uint32, key unsafe.Pointer, keyLen uint32, length uint64) int32
