package store

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

// TestMigrate brings inventories of every earlier version up to date, several
// readers and a writer at once, as after an upgrade.
func TestMigrate(t *testing.T) {
	t.Parallel()
	back := [][]string{ // how to take each migration back, from the first on
		nil, nil,
		{"DROP INDEX certificates_expiry", "DROP INDEX certificates_common_name"},
		{"DROP INDEX certificates_files", "DROP INDEX certificates_revoked", "DROP TABLE crls"},
	}
	for version := 2; version < len(back); version++ {
		t.Run(fmt.Sprint(version), func(t *testing.T) {
			t.Parallel()
			inv, dir := newInventory(t)
			inv.add(t, recordOut(t, "1", "jane", "jane"), noon.Add(time.Hour))
			inv.add(t, recordOut(t, "2", "jane", "jane"), noon.Add(time.Hour))
			for _, statements := range slices.Backward(back[version:]) {
				for _, statement := range statements {
					inv.db.MustExec(statement)
				}
			}
			inv.db.MustExec(fmt.Sprintf("PRAGMA user_version = %d", version))
			check(t, inv.Close())
			done := make(chan error)
			const readers = 8
			for i := range readers {
				go func() {
					inv, err := openInventory(filepath.Join(dir, inventoryName), i == 0)
					if err == nil {
						var rows []Row
						rows, err = inv.List(context.Background(), Filter{})
						if err == nil && (len(rows) != 2 || !rows[0].Superseded || rows[1].Superseded) {
							err = fmt.Errorf("rows %+v", rows)
						}
						_ = inv.Close()
					}
					done <- err
				}()
			}
			for range readers {
				if err := <-done; err != nil {
					t.Error(err)
				}
			}
		})
	}
}
