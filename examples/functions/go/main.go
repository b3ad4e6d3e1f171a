// Counts lines, words and bytes of what it is sent: a program of WASI, called as CGI programs are.
package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
)

func main() {
	text, err := io.ReadAll(os.Stdin)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Print("Content-Type: application/json\n\n")
	fmt.Printf(`{"lines":%d,"words":%d,"bytes":%d}`,
		bytes.Count(text, []byte("\n")), len(bytes.Fields(text)), len(text))
}
