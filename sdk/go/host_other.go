//go:build !wasm

package wasimap

import "unsafe"

// Elsewhere than on WebAssembly there is no host.
const none = int32(ErrNotSupported)

func hostOpen(unsafe.Pointer, uint32, uint64, unsafe.Pointer) int32         { return none }
func hostCreate(unsafe.Pointer, unsafe.Pointer) int32                       { return none }
func hostClose(uint32) int32                                                { return none }
func hostDup(uint32, uint64, unsafe.Pointer) int32                          { return none }
func hostLend(uint32, uint64, unsafe.Pointer, uint32, unsafe.Pointer) int32 { return none }
func hostTransfer(uint32, unsafe.Pointer, uint32, unsafe.Pointer) int32     { return none }
func hostAccept(unsafe.Pointer, unsafe.Pointer) int32                       { return none }
func hostRights(uint32, unsafe.Pointer) int32                               { return none }
func hostStat(uint32, unsafe.Pointer) int32                                 { return none }
func hostGet(uint32, unsafe.Pointer, uint32, unsafe.Pointer, uint32, unsafe.Pointer, unsafe.Pointer) int32 {
	return none
}
func hostSet(uint32, unsafe.Pointer, uint32, unsafe.Pointer, uint32) int32 { return none }
func hostSetWith(uint32, unsafe.Pointer, uint32, unsafe.Pointer, uint32, unsafe.Pointer, unsafe.Pointer) int32 {
	return none
}
func hostDelete(uint32, unsafe.Pointer, uint32) int32                 { return none }
func hostExists(uint32, unsafe.Pointer, uint32, unsafe.Pointer) int32 { return none }
func hostCompareAndSwap(uint32, unsafe.Pointer, uint32, uint64, unsafe.Pointer, uint32, unsafe.Pointer) int32 {
	return none
}
func hostIncrement(uint32, unsafe.Pointer, uint32, int64, unsafe.Pointer) int32 { return none }
func hostScan(uint32, unsafe.Pointer, uint32, unsafe.Pointer, unsafe.Pointer, uint32, unsafe.Pointer) int32 {
	return none
}
func hostBatch(uint32, unsafe.Pointer, uint32, unsafe.Pointer) int32       { return none }
func hostClear(uint32) int32                                               { return none }
func hostWatch(uint32, unsafe.Pointer, uint32, unsafe.Pointer) int32       { return none }
func hostNext(uint32, int64, unsafe.Pointer, uint32, unsafe.Pointer) int32 { return none }
func hostUnwatch(uint32) int32                                             { return none }
func hostPutMap(uint32, unsafe.Pointer, uint32, uint32) int32              { return none }
func hostGetMap(uint32, unsafe.Pointer, uint32, unsafe.Pointer) int32      { return none }
func hostRegionCreate(uint32, unsafe.Pointer, uint32, uint64) int32        { return none }
