// gzip.go - Go's own reader and writer of gzip as a filter, for test_peers.c: `gzip -d` decodes, `gzip` encodes.
package main

import (
	"compress/gzip"
	"io"
	"log"
	"os"
)

func decode() error {
	reader, err := gzip.NewReader(os.Stdin)
	if err != nil {
		return err
	}
	_, err = io.Copy(os.Stdout, reader)
	return err
}

func encode() error {
	writer := gzip.NewWriter(os.Stdout)
	if _, err := io.Copy(writer, os.Stdin); err != nil {
		return err
	}
	return writer.Close()
}

func main() {
	filter := encode
	if len(os.Args) > 1 && os.Args[1] == "-d" {
		filter = decode
	}
	if err := filter(); err != nil {
		log.Fatal(err)
	}
}
