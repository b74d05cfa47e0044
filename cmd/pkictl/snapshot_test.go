package main_test

import (
	"crypto/tls"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	_ "modernc.org/sqlite" // rows are compared, not the pages they are in
)

// snapshot reads everything below a directory: type, mode, and contents or
// target by path. Of inventories it has the rows, and of what the store keeps
// for itself only what is not put away.
func snapshot(t testing.TB, root string) map[string]string {
	t.Helper()
	found := map[string]string{}
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		content := ""
		switch {
		case entry.Name() == ".staging":
			if content, err = unfinished(path); content == "" && err == nil {
				return fs.SkipDir
			}
		case entry.Name() == "inventory.db-journal":
			return nil
		case entry.Name() == "inventory.db":
			content = strings.Join(rowsOf(t, path), "\n")
		case info.Mode().IsRegular():
			data, readErr := os.ReadFile(path)
			content, err = string(data), readErr
		case info.Mode()&fs.ModeSymlink != 0:
			content, err = os.Readlink(path)
		}
		found[path] = fmt.Sprintf("%v %s", info.Mode(), content)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// unfinished lists what a change that was not put away has left in .staging.
func unfinished(staging string) (string, error) {
	var left []string
	err := filepath.WalkDir(staging, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() && entry.Name() != "files.json" {
			left = append(left, path)
		}
		return err
	})
	return strings.Join(left, " "), err
}

// rowsOf reads the rows of an inventory from a copy, which a reader may change.
// What is no database is returned as it is.
func rowsOf(t testing.TB, path string) []string {
	t.Helper()
	directory := t.TempDir()
	if info, err := os.Stat(path); err != nil || info.IsDir() {
		return []string{fmt.Sprint(err)}
	}
	var original []byte
	for _, suffix := range []string{"", "-journal"} {
		data, err := os.ReadFile(path + suffix)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err == nil {
			err = os.WriteFile(filepath.Join(directory, "inventory.db"+suffix), data, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
		if suffix == "" {
			original = data
		}
	}
	rows, err := queryRows(filepath.Join(directory, "inventory.db"))
	if err != nil {
		return []string{err.Error(), string(original)}
	}
	return rows
}

func queryRows(path string) ([]string, error) {
	db, err := sql.Open("sqlite", "file:"+path)
	if err != nil {
		return nil, err
	}
	defer db.Close()
	rows, err := db.Query(`SELECT serial_number || ' ' || authority_key_identifier || ' ' || status || ' ' || common_name || ' ' || pem
		FROM certificates ORDER BY serial_number`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var list []string
	for rows.Next() {
		var row string
		if err := rows.Scan(&row); err != nil {
			return nil, err
		}
		list = append(list, row)
	}
	return list, rows.Err()
}

// checkUnchanged compares a directory with what it was.
func checkUnchanged(t testing.TB, what, root string, before map[string]string) {
	t.Helper()
	after := snapshot(t, root)
	for path, content := range before {
		if after[path] != content {
			t.Errorf("%s: %s was\n%.300q\nand is\n%.300q", what, path, content, after[path])
		}
	}
	for path := range after {
		if _, known := before[path]; !known {
			t.Errorf("%s: %s is new", what, path)
		}
	}
}

// checkPairs checks that each certificate below a directory has its key, its
// kubeconfig if there is one, and its row, and that nothing else was left.
func checkPairs(t testing.TB, what, dir string) {
	t.Helper()
	files := snapshot(t, dir)
	rows := ""
	for path := range files {
		if filepath.Base(path) == "inventory.db" {
			rows += strings.Join(rowsOf(t, path), "\n")
		}
	}
	found := 0
	for path, content := range files {
		base := filepath.Base(path)
		switch {
		case strings.HasSuffix(base, ".crt"):
			found++
			key := strings.TrimSuffix(strings.TrimSuffix(path, ".crt"), "-chain") + ".key"
			if _, err := tls.LoadX509KeyPair(path, key); err != nil {
				t.Errorf("%s: %s: %v", what, path, err)
			}
			_, pem, _ := strings.Cut(content, " ")
			if pem, _, _ = strings.Cut(pem, "-----END"); !strings.Contains(rows, pem) { // CAs may follow
				t.Errorf("%s: %s has no row", what, path)
			}
			if _, err := os.Stat(key); err != nil {
				t.Errorf("%s: %v", what, err)
			}
		case strings.HasPrefix(base, ".") && base != ".lock":
			t.Errorf("%s: %s was left", what, path)
		}
	}
	if found == 0 {
		t.Errorf("%s: no certificate", what)
	}
	if strings.Contains(rows, " reserved ") {
		t.Errorf("%s: a row was left reserved:\n%s", what, rows)
	}
}
