package wasimap

import "unsafe"

// How structs lie in memory, for the host: fixed sizes, and addresses as numbers.

type rawOptions struct {
	entries, bytes, valueBytes, ttl uint64
	eviction, shards                uint32
}

type rawTerms struct {
	flags, pad   uint32
	version, ttl uint64
}

type rawOp struct {
	kind, flags     uint32
	key, keyLen     uint32
	value, valueLen uint32
	number, ttl     uint64
}

// Each is an array of length 0 if the size is right, and does not compile otherwise.
var (
	_ [40 - unsafe.Sizeof(rawOptions{})]struct{}
	_ [unsafe.Sizeof(rawOptions{}) - 40]struct{}
	_ [24 - unsafe.Sizeof(rawTerms{})]struct{}
	_ [unsafe.Sizeof(rawTerms{}) - 24]struct{}
	_ [40 - unsafe.Sizeof(rawOp{})]struct{}
	_ [unsafe.Sizeof(rawOp{}) - 40]struct{}
	_ [48 - unsafe.Sizeof(Stat{})]struct{}
	_ [unsafe.Sizeof(Stat{}) - 48]struct{}
	_ [16 - unsafe.Sizeof(Done{})]struct{}
	_ [unsafe.Sizeof(Done{}) - 16]struct{}
)
