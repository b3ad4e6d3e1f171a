// Reads lines "type bytes" and writes the bytes of what it read.
package main

import (
	"bufio"
	"encoding/hex"
	"fmt"
	"os"
	"strings"

	gen "sample/gen"
)

type message interface {
	Decode(bytes []byte) error
	Encode() []byte
}

var types = []func() message{
CASES
}

func main() {
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 1<<20)
	out := bufio.NewWriter(os.Stdout)
	for lines.Scan() {
		var at int
		number, digits, _ := strings.Cut(lines.Text(), " ")
		fmt.Sscan(number, &at)
		bytes, err := hex.DecodeString(digits)
		if err != nil {
			panic(err)
		}
		value := types[at]()
		if err := value.Decode(bytes); err != nil {
			fmt.Fprintln(out, "error")
		} else {
			fmt.Fprintln(out, hex.EncodeToString(value.Encode()))
		}
	}
	out.Flush()
	maps()
}

func check(claim bool, what string) {
	if !claim {
		panic(what)
	}
}
