// A function: greets, and says in capitals what it was sent.
//
// The request comes as to a CGI program, which Go's own library knows: a handler of net/http.
package main

import (
	"bytes"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/cgi"
	"os"
)

func main() {
	if err := cgi.Serve(http.HandlerFunc(answer)); err != nil {
		log.Fatal(err)
	}
}

func answer(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("content-type", "text/plain; charset=utf-8")
	switch r.Method {
	case http.MethodGet:
		greeting := os.Getenv("GREETING")
		if greeting == "" {
			greeting = "Hello"
		}
		fmt.Fprintf(w, "%s from {{name}}\n", greeting)
	case http.MethodPost:
		said, err := io.ReadAll(r.Body)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		w.Write(bytes.ToUpper(said))
	default:
		http.Error(w, "GET or POST", http.StatusMethodNotAllowed)
	}
}
