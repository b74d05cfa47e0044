package ca_test

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/pkictl/pkictl/ca"
	"github.com/pkictl/pkictl/internal/store"
)

// TestBatchStops: an error that stops a batch comes out while its input is
// still open.
func TestBatchStops(t *testing.T) {
	t.Parallel()
	dir := newCA(t, ca.ECDSAP256)
	r, w := io.Pipe()
	go func() { // as much as is written at once, and a bit; then nothing, and no end
		_, _ = io.WriteString(w, "cn\n")
		for i := range 600 {
			_, _ = fmt.Fprintf(w, "user-%d\n", i)
		}
	}()
	defer w.Close()
	o := ca.BatchOptions{IssueOptions: ca.IssueOptions{Dir: dir, Now: now}, Lines: must(ca.NewBatchReader(r, "users.csv"))}
	isFirst := true
	o.Each = func(*ca.IssueOptions) error {
		if isFirst {
			must(0, os.WriteFile(store.InventoryPath(dir), []byte(strings.Repeat("noise", 1000)), 0o600))
		}
		isFirst = false
		return nil
	}
	result, err := ca.IssueBatch(context.Background(), o)
	if err == nil || !strings.Contains(err.Error(), "inventory") || result.Issued != 0 {
		t.Errorf("%v, %+v", err, result)
	}
}
