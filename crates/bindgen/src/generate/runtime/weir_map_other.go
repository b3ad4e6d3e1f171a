// Written by `weir bindgen`; do not edit. Elsewhere than on WebAssembly there is no host.

//go:build !wasm

package PACKAGE

func weirOpen(string, WeirRights) (WeirStore, error) { return nil, WeirErrNotSupported }
