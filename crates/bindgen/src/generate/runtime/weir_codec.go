// Written by `weir bindgen`; do not edit. How generated types are read and written.

package PACKAGE

import (
	"encoding/binary"
	"fmt"
	"math"
	"unicode/utf8"
)

// WeirFault says why bytes are no value.
type WeirFault int

// The faults.
const (
	WeirShort WeirFault = iota + 1
	WeirLongNumber
	WeirTag
	WeirKind
	WeirUTF8
	WeirRange
	WeirLength
)

var weirFaults = [...]string{
	"", "the bytes end within it", "a number has more than 64 bits", "a field begins with a number or kind that there is not",
	"it is not written as its type is", "it is not UTF-8", "it is outside the range of its type", "it has another length",
}

// WeirDecodeError says why bytes are no value, and in which field (0: none).
type WeirDecodeError struct {
	Fault WeirFault
	Field uint32
}

func (e *WeirDecodeError) Error() string {
	return fmt.Sprintf("field %d: %s", e.Field, weirFaults[e.Fault])
}

// Bytes that are being read. After an error nothing more is read.
type weirReader struct {
	bytes     []byte
	at, start int
	field     uint32
	err       *WeirDecodeError
}

func (r *weirReader) fail(fault WeirFault) {
	if r.err == nil {
		r.err = &WeirDecodeError{fault, r.field}
	}
	r.at = len(r.bytes)
}

func (r *weirReader) more() bool { return r.err == nil && r.at < len(r.bytes) }

// The next field's number and kind; false at the end or after an error.
func (r *weirReader) next() (number, kind uint32, ok bool) {
	if !r.more() {
		return 0, 0, false
	}
	r.start = r.at
	tag := r.u64()
	kind = uint32(tag & 7)
	if r.err == nil && (tag>>32 != 0 || tag>>3 == 0 || kind > 2 && kind != 5) {
		r.fail(WeirTag)
	}
	r.field = uint32(tag >> 3)
	return r.field, kind, r.err == nil
}

func (r *weirReader) is(found, expected uint32) bool {
	if found != expected {
		r.fail(WeirKind)
	}
	return found == expected
}

func (r *weirReader) take(size uint64) []byte {
	if size > uint64(len(r.bytes)-r.at) {
		r.fail(WeirShort)
		return nil
	}
	taken := r.bytes[r.at : r.at+int(size)]
	r.at += int(size)
	return taken
}

func (r *weirReader) u64() uint64 {
	value := uint64(0)
	for shift := 0; ; shift += 7 {
		taken := r.take(1)
		if taken == nil {
			return 0
		}
		if shift == 63 && taken[0] > 1 {
			r.fail(WeirLongNumber)
			return 0
		}
		value |= uint64(taken[0]&0x7f) << shift
		if taken[0] < 0x80 {
			return value
		}
	}
}

func (r *weirReader) piece() []byte { return r.take(r.u64()) }

func (r *weirReader) skip(kind uint32) {
	switch kind {
	case 0:
		r.u64()
	case 1:
		r.take(8)
	case 2:
		r.piece()
	default:
		r.take(4)
	}
}

// Passes a field that is not known, and keeps it.
func (r *weirReader) keep(kind uint32, unknown *[]byte) {
	r.skip(kind)
	if r.err == nil {
		*unknown = append(*unknown, r.bytes[r.start:r.at]...)
	}
}

func (r *weirReader) least(value, least, most int64) int64 {
	if value < least || value > most {
		r.fail(WeirRange)
	}
	return value
}

func (r *weirReader) bool() bool  { return r.u64() != 0 }
func (r *weirReader) u8() uint8   { return uint8(r.least(int64(r.u32()), 0, math.MaxUint8)) }
func (r *weirReader) u16() uint16 { return uint16(r.least(int64(r.u32()), 0, math.MaxUint16)) }
func (r *weirReader) u32() uint32 { return uint32(r.u64()) }
func (r *weirReader) i32() int32  { return int32(r.u64()) }
func (r *weirReader) i64() int64  { return int64(r.u64()) }
func (r *weirReader) s8() int8    { return int8(r.least(int64(r.s32()), math.MinInt8, math.MaxInt8)) }
func (r *weirReader) s16() int16  { return int16(r.least(int64(r.s32()), math.MinInt16, math.MaxInt16)) }

func (r *weirReader) s32() int32 {
	value := r.u32()
	return int32(value>>1) ^ -int32(value&1)
}

func (r *weirReader) s64() int64 {
	value := r.u64()
	return int64(value>>1) ^ -int64(value&1)
}

func (r *weirReader) fixed32() uint32 {
	if taken := r.take(4); taken != nil {
		return binary.LittleEndian.Uint32(taken)
	}
	return 0
}

func (r *weirReader) fixed64() uint64 {
	if taken := r.take(8); taken != nil {
		return binary.LittleEndian.Uint64(taken)
	}
	return 0
}

func (r *weirReader) sfixed32() int32 { return int32(r.fixed32()) }
func (r *weirReader) sfixed64() int64 { return int64(r.fixed64()) }
func (r *weirReader) f32() float32    { return math.Float32frombits(r.fixed32()) }
func (r *weirReader) f64() float64    { return math.Float64frombits(r.fixed64()) }

func weirIsChar(code uint64) bool { return code <= utf8.MaxRune && code>>11 != 0x1b }

func (r *weirReader) char() rune {
	code := r.u64()
	if !weirIsChar(code) {
		r.fail(WeirRange)
	}
	return rune(code)
}

func (r *weirReader) data() []byte { return append([]byte{}, r.piece()...) }

func (r *weirReader) text() string {
	taken := r.piece()
	if !utf8.Valid(taken) {
		r.fail(WeirUTF8)
	}
	return string(taken)
}

type weirMessage interface {
	merge(r *weirReader)
	write(w *weirWriter)
}

// Reads a message over what is there.
func (r *weirReader) message(out weirMessage) {
	inner := weirReader{bytes: r.piece()}
	if r.err != nil {
		return
	}
	out.merge(&inner)
	if inner.err != nil {
		r.fail(inner.err.Fault)
		r.err = inner.err
	}
}

// Reads one value, or many in one piece.
func weirRepeat[T any](r *weirReader, found, expected uint32, read func(*weirReader) T, out *[]T) {
	if found == 2 && expected != 2 {
		packed := weirReader{bytes: r.piece(), field: r.field}
		for packed.more() {
			*out = append(*out, read(&packed))
		}
		if packed.err != nil {
			r.fail(packed.err.Fault)
		}
	} else if r.is(found, expected) {
		*out = append(*out, read(r))
	}
}

// Bytes that are being written.
type weirWriter struct{ out []byte }

func (w *weirWriter) tag(number, kind uint32) { w.u64(uint64(number)<<3 | uint64(kind)) }
func (w *weirWriter) u64(value uint64)        { w.out = binary.AppendUvarint(w.out, value) }
func (w *weirWriter) u8(value uint8)          { w.u64(uint64(value)) }
func (w *weirWriter) u16(value uint16)        { w.u64(uint64(value)) }
func (w *weirWriter) u32(value uint32)        { w.u64(uint64(value)) }
func (w *weirWriter) i32(value int32)         { w.u64(uint64(int64(value))) }
func (w *weirWriter) i64(value int64)         { w.u64(uint64(value)) }
func (w *weirWriter) s8(value int8)           { w.s64(int64(value)) }
func (w *weirWriter) s16(value int16)         { w.s64(int64(value)) }
func (w *weirWriter) s32(value int32)         { w.s64(int64(value)) }
func (w *weirWriter) s64(value int64)         { w.u64(uint64(value<<1) ^ uint64(value>>63)) }
func (w *weirWriter) char(value rune)         { w.u64(uint64(uint32(value))) }
func (w *weirWriter) fixed32(value uint32)    { w.out = binary.LittleEndian.AppendUint32(w.out, value) }
func (w *weirWriter) fixed64(value uint64)    { w.out = binary.LittleEndian.AppendUint64(w.out, value) }
func (w *weirWriter) sfixed32(value int32)    { w.fixed32(uint32(value)) }
func (w *weirWriter) sfixed64(value int64)    { w.fixed64(uint64(value)) }
func (w *weirWriter) f32(value float32)       { w.fixed32(math.Float32bits(value)) }
func (w *weirWriter) f64(value float64)       { w.fixed64(math.Float64bits(value)) }

func (w *weirWriter) bool(value bool) {
	if value {
		w.u64(1)
	} else {
		w.u64(0)
	}
}

func (w *weirWriter) data(value []byte) {
	w.u64(uint64(len(value)))
	w.out = append(w.out, value...)
}

func (w *weirWriter) text(value string) {
	w.u64(uint64(len(value)))
	w.out = append(w.out, value...)
}

func (w *weirWriter) message(value weirMessage) { w.data(weirEncode(value)) }

// A record that is left out if there is nothing in it.
func (w *weirWriter) filled(number uint32, value weirMessage) {
	if bytes := weirEncode(value); len(bytes) != 0 {
		w.tag(number, 2)
		w.data(bytes)
	}
}

// Many values in one piece.
func weirPacked[T any](w *weirWriter, number uint32, values []T, write func(*weirWriter, T)) {
	if len(values) == 0 {
		return
	}
	var packed weirWriter
	for _, value := range values {
		write(&packed, value)
	}
	w.tag(number, 2)
	w.data(packed.out)
}

func weirEncode(value weirMessage) []byte {
	var w weirWriter
	value.write(&w)
	return w.out
}

func weirDecode(bytes []byte, out weirMessage) error {
	r := weirReader{bytes: bytes}
	out.merge(&r)
	if r.err != nil {
		return r.err
	}
	return nil
}
