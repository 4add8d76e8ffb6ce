// A server of Go's own; connections to callees are kept.
package main

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
)

var routes = map[string][][]string{
	"both": {{"a"}, {"b"}},
	"fan":  {{"a", "b", "c"}, {"a"}},
	"one":  {{"c"}},
}

var (
	guard sync.Mutex
	truth *os.File
)

func call(request, host string) {
	id := make([]byte, 8)
	rand.Read(id)
	item := "/item/" + hex.EncodeToString(id)
	guard.Lock()
	fmt.Fprintf(truth, "%s %s\n", request, item)
	guard.Unlock()
	response, err := http.Get("http://" + host + ":8080" + item)
	if err != nil {
		log.Print(err)
		return
	}
	io.Copy(io.Discard, response.Body)
	response.Body.Close()
}

func handle(w http.ResponseWriter, r *http.Request) {
	for _, group := range routes[strings.Split(r.URL.Path, "/")[1]] {
		var all sync.WaitGroup
		for _, host := range group {
			all.Add(1)
			go func() { defer all.Done(); call(r.URL.Path, host) }()
		}
		all.Wait()
	}
	fmt.Fprintln(w, "ok")
}

func main() {
	file, err := os.Create(filepath.Join(os.Getenv("TRUTH"), "go"))
	if err != nil {
		log.Fatal(err)
	}
	truth = file
	http.DefaultTransport.(*http.Transport).MaxIdleConnsPerHost = 64
	http.HandleFunc("/", handle)
	log.Fatal(http.ListenAndServe(":8080", nil))
}
