package main

import (
	"fmt"
	"io"

	"github.com/pkictl/pkictl/csr"
)

// printAccess writes what somebody may do, dangers first.
func printAccess(w io.Writer, indent string, access *csr.Access) {
	for _, line := range access.Lines() {
		fmt.Fprintf(w, "%s%s\n", indent, printable(line))
	}
}
