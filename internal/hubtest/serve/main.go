// Serve runs a small hub with one model until its standard input ends. It prints
// its address and the commit: serve NAME FOLDER
package main

import (
	"fmt"
	"io"
	"log"
	"os"

	"github.com/gguftool/gguftool/internal/hubtest"
)

func main() {
	if len(os.Args) != 3 {
		log.Fatal("usage: serve NAME FOLDER")
	}
	h := hubtest.New()
	defer h.Close()
	h.PageSize = 3
	_, commit, err := h.AddDir(os.Args[1], "main", os.Args[2])
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(h.URL, commit)
	io.Copy(io.Discard, os.Stdin)
}
