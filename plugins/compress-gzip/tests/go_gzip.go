// Reads and writes gzip with Go's compress/gzip, the reader of most other programs around Kubernetes.
//
//	go_gzip decode < STORED > PLAIN
//	go_gzip encode < PLAIN > STORED
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
	writer.Name, writer.Comment, writer.Extra = "name", "comment", []byte("extra")
	if _, err := io.Copy(writer, os.Stdin); err != nil {
		return err
	}
	return writer.Close()
}

func main() {
	work := map[string]func() error{"decode": decode, "encode": encode}[os.Args[1]]
	if err := work(); err != nil {
		log.Fatal(err)
	}
}
