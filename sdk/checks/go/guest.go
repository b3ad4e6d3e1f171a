// Calls everything that the package wasimap has against a real host: see ../c/checks.c for what it
// grants. Each export answers 0, or the line of the expectation that did not hold; "regions" answers
// 58 on a host without regions.
package main

import (
	"bytes"
	"fmt"
	"runtime"
	"time"

	"wasimap"
)

func main() {}

// Ends a check with the line it was called in.
type failed int32

func expect(holds bool) {
	if !holds {
		_, _, line, _ := runtime.Caller(1)
		panic(failed(line))
	}
}

// The value of something that must not fail.
func must[T any](value T, err error) T {
	if err != nil {
		_, _, line, _ := runtime.Caller(1)
		fmt.Println("line", line, err)
		panic(failed(line))
	}
	return value
}

func run(check func()) (line int32) {
	defer func() {
		if at, is := recover().(failed); is {
			line = int32(at)
		}
	}()
	check()
	return 0
}

func shared() wasimap.Map {
	m := must(wasimap.Open("shared", wasimap.All))
	expect(m.Clear() == nil)
	return m
}

func second[A, B any](_ A, b B) B { return b }

//go:wasmexport entries
func entries() int32 {
	return run(func() {
		m := shared()
		key, none := []byte("key"), []byte("none")
		expect(m.Set(key, []byte("value")) == nil)
		value, version, err := m.Get(key)
		expect(err == nil && string(value) == "value" && version > 0)
		size, _, err := m.GetInto(key, make([]byte, 3))
		expect(size == 5 && err == wasimap.ErrOverflow)
		large := bytes.Repeat([]byte("x"), 100_000)
		expect(m.Set([]byte("large"), large) == nil)
		value, _, err = m.Get([]byte("large"))
		expect(err == nil && bytes.Equal(value, large))
		expect(must(m.Exists(key)) && !must(m.Exists(none)))
		_, _, err = m.Get(none)
		expect(err == wasimap.ErrNoEntry)
		expect(must(m.Delete(key)) && !must(m.Delete(key)))
		n := []byte("n")
		expect(must(m.Increment(n, 40)) == 40 && must(m.Increment(n, 2)) == 42)
		expect(second(m.Increment(n, 1<<63-1)) == wasimap.ErrOverflow)
		swapped := []byte("swapped")
		first := must(m.CompareAndSwap(swapped, 0, []byte("1")))
		current, err := m.CompareAndSwap(swapped, 0, []byte("2"))
		expect(err == wasimap.ErrAgain && current == first)
		next := must(m.CompareAndSwap(swapped, first, []byte("2")))
		expect(next > first)
		absent := wasimap.Terms{IfAbsent: true}
		expect(second(m.SetWith(swapped, nil, absent)) == wasimap.ErrAgain)
		lasting := wasimap.Terms{IfVersion: next, TTL: time.Hour}
		expect(must(m.SetWith(swapped, nil, lasting)) > next)
		expect(second(m.SetWith(key, nil, wasimap.Terms{TTL: -time.Hour})) == wasimap.ErrInvalid)
		expect(m.Close() == nil && m.Close() == wasimap.ErrBadHandle)
	})
}

//go:wasmexport lists
func lists() int32 {
	return run(func() {
		m := shared()
		large := make([]byte, 10_000)
		for i := range 300 {
			value := []byte("some value")
			if i == 5 {
				value = large
			}
			expect(m.Set([]byte{'a', byte(i >> 8), byte(i)}, value) == nil)
		}
		expect(m.Set([]byte("b"), nil) == nil)
		seen := 0
		for item, err := range m.Scan([]byte("a")) {
			expect(err == nil && int(item.Key[1])<<8+int(item.Key[2]) == seen && item.Version > 0)
			expect(string(item.Value) == "some value" || seen == 5 && len(item.Value) == 10_000)
			seen++
		}
		expect(seen == 300)
		for range m.Scan([]byte("c")) {
			expect(false)
		}
		absent := wasimap.Terms{IfAbsent: true}
		var batch wasimap.Batch
		batch.Check([]byte("new"), absent).Set([]byte("new"), []byte("1"), wasimap.Terms{}).
			Increment([]byte("n"), -5).Delete([]byte("b")).Delete([]byte("none"))
		done := must(m.Run(&batch))
		expect(len(done) == 5 && done[0].Version == 0 && done[1].Version > 0)
		expect(done[2].Value == -5 && done[3].Value == 1 && done[4].Value == 0)
		expect(second(m.Run(&batch)) == wasimap.ErrAgain)
		value, _, err := m.Get([]byte("new"))
		expect(err == nil && string(value) == "1")
	})
}

//go:wasmexport changes
func changes() int32 {
	return run(func() {
		m := shared()
		watch := must(m.Watch([]byte("w")))
		expect(watch.ID() > 0 && must(watch.Poll()) == nil && must(watch.Next(time.Millisecond)) == nil)
		large := bytes.Repeat([]byte("w"), 6000)
		expect(m.Set([]byte("other"), nil) == nil && m.Set([]byte("w1"), nil) == nil)
		expect(must(m.Delete([]byte("w1"))) && m.Set(large, nil) == nil)
		told := 0
		for change := must(watch.Poll()); change != nil; change = must(watch.Poll()) {
			deleted := change.Kind == wasimap.EntryDeleted && string(change.Key) == "w1"
			set := change.Kind == wasimap.EntrySet && bytes.Equal(change.Key, large)
			expect((deleted || set) && change.Version > 0)
			told++
		}
		expect(told == 2 && m.Clear() == nil)
		expect(must(watch.Poll()).Kind == wasimap.Cleared)
		expect(watch.Close() == nil && watch.Close() == wasimap.ErrBadHandle)
		expect(second(watch.Poll()) == wasimap.ErrBadHandle)
	})
}

//go:wasmexport handles
func handles() int32 {
	return run(func() {
		m := shared()
		key := []byte("key")
		expect(m.Set(key, []byte("1")) == nil)
		reader := must(m.Duplicate(wasimap.Read | wasimap.Share))
		expect(must(reader.Rights()) == wasimap.Read|wasimap.Share)
		expect(reader.Set(key, nil) == wasimap.ErrNotCapable)
		expect(second(reader.Duplicate(wasimap.All)) == wasimap.ErrNotCapable)
		lent := must(reader.Lend(wasimap.Read, "checks"))
		borrowed := must(wasimap.Accept(lent))
		expect(must(borrowed.Exists(key)))
		expect(second(wasimap.Accept(lent)) == wasimap.ErrNoEntry)
		expect(reader.Close() == nil && second(borrowed.Exists(key)) == wasimap.ErrStale)
		ticket := must(m.Transfer("checks"))
		expect(second(m.Exists(key)) == wasimap.ErrBadHandle)
		expect(must(must(wasimap.Accept(ticket)).Rights()) == wasimap.All)
	})
}

//go:wasmexport references
func references() int32 {
	return run(func() {
		m := shared()
		own := must(wasimap.New(wasimap.Options{Entries: 1, TTL: time.Hour}))
		expect(own.Set([]byte("in"), []byte("side")) == nil)
		expect(own.Set([]byte("in2"), nil) == wasimap.ErrNoSpace)
		stat := must(own.Stat())
		expect(stat.Entries == 1 && stat.Flags == 4 && stat.References == 1)
		expect(m.PutMap([]byte("child"), own) == nil && own.Close() == nil)
		child := must(m.GetMap([]byte("child")))
		value, _, err := child.Get([]byte("in"))
		expect(err == nil && string(value) == "side")
		expect(second(m.GetMap([]byte("none"))) == wasimap.ErrNoEntry)
		for item := range m.Scan(nil) {
			expect(string(item.Key) == "child" && item.Value == nil)
		}
	})
}

//go:wasmexport errors
func errors() int32 {
	return run(func() {
		expect(second(wasimap.Open("missing", wasimap.Read)) == wasimap.ErrNoEntry)
		expect(second(wasimap.Open("", wasimap.Read)) == wasimap.ErrInvalid)
		long := string(bytes.Repeat([]byte("n"), 257))
		expect(second(wasimap.Open(long, wasimap.Read)) == wasimap.ErrNameTooLong)
		expect(second(wasimap.Open("readable", wasimap.All)) == wasimap.ErrNotCapable)
		readable := must(wasimap.Open("readable", wasimap.Read))
		value, _, err := readable.Get([]byte("host"))
		expect(err == nil && string(value) == "hello")
		expect(readable.Set([]byte("host"), nil) == wasimap.ErrNotCapable)
		for _, err := range readable.Scan(nil) {
			expect(err == wasimap.ErrNotCapable)
		}
		expect(wasimap.ErrNotCapable.Error() == "wasi-map: a right is missing")
		expect(wasimap.Errno(7).Error() == "wasi-map: unknown error 7")
	})
}

//go:wasmexport regions
func regions() (line int32) {
	return run(func() {
		m := shared()
		key := []byte("region")
		err := m.CreateRegion(key, 100_000)
		if err == wasimap.ErrNotSupported {
			panic(failed(58))
		}
		expect(err == nil)
		value, version, err := m.Get(key)
		expect(err == nil && len(value) == 100_000 && value[99_999] == 0 && version > 0)
		for item, err := range m.Scan(key) {
			expect(err == nil && item.IsRegion && item.Value == nil)
		}
	})
}
