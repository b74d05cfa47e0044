package store

import (
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"syscall"

	"github.com/jmoiron/sqlx"
	"modernc.org/sqlite"
	sqlitelib "modernc.org/sqlite/lib"

	"github.com/pkictl/pkictl/internal/failure"
)

// Statuses of a certificate in the inventory. The first is pkictl's own: cfssl
// knows good and revoked, and passes over what has ended, as a reserved row's
// expiry says.
const (
	StatusReserved = "reserved" // the serial is taken, no certificate was handed out
	StatusGood     = "good"
	StatusRevoked  = "revoked"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Inventory is the database of all certificates that were issued. Its schema is
// that of cfssl's certdb, so cfssl's own tools read it.
type Inventory struct {
	db *sqlx.DB
}

// options of the database, as modernc.org/sqlite reads them:
//   - _time_format=sqlite writes times as cfssl's driver does; cfssl compares
//     them as strings with CURRENT_TIMESTAMP.
//   - journal_mode PERSIST survives a power cut like the default, as
//     synchronous is FULL unless told otherwise, but does not make and delete a
//     file for each transaction, which is most of the time of a short program.
//   - locking_mode EXCLUSIVE keeps what was read between transactions; the
//     directory's lock keeps other writers away, and readers wait.
//   - busy_timeout, in milliseconds, makes readers wait for a writer.
const sqliteOptions = "_time_format=sqlite&_txlock=immediate&_pragma=busy_timeout(20000)"
const sqliteWriteOptions = "&_pragma=journal_mode(PERSIST)"

func openInventory(path string, write bool) (*Inventory, error) {
	if write {
		// SQLite would make the file as wide as the umask allows, and would not
		// say why it cannot make the journal.
		for _, name := range []string{path, path + "-journal"} {
			f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o600)
			if err == nil {
				err = f.Close()
			}
			if err != nil {
				return nil, diskError(err, "open inventory %q", name)
			}
		}
	} else if _, err := os.Stat(path); err != nil {
		return nil, diskError(err, "open inventory %q", path)
	}
	options := sqliteOptions
	if write {
		options += sqliteWriteOptions
	}
	dsn := (&url.URL{Scheme: "file", Opaque: (&url.URL{Path: path}).EscapedPath(), RawQuery: options}).String()
	db, err := sql.Open("sqlite", dsn)
	if err != nil {
		return nil, inventoryError(err, path)
	}
	db.SetMaxOpenConns(1)
	x := sqlx.NewDb(db, "sqlite3") // the dialect's name, not the driver's
	err = migrate(x, write)
	if err == nil && write {
		// Not before: a lock that is kept from the first read on would stand
		// against another process that brings the schema up to date.
		_, err = x.Exec("PRAGMA locking_mode = EXCLUSIVE")
	}
	if err != nil {
		_ = db.Close()
		return nil, inventoryError(err, path)
	}
	return &Inventory{db: x}, nil
}

const foreignHint = "move it away or choose another --dir; inventory.db is pkictl's own file"

// migrate brings the schema up to date. SQLite's user_version counts the
// migrations that were applied.
func migrate(db *sqlx.DB, write bool) error {
	files, err := fs.Glob(migrations, "migrations/*.sql")
	if err != nil {
		return err
	}
	var version int
	if err := db.Get(&version, "PRAGMA user_version"); err != nil {
		return err
	}
	switch {
	case version == len(files):
		return nil
	case version > len(files):
		return failure.New(failure.Failed, "use the newest pkictl", "it was written by a newer pkictl")
	case version == 0:
		var tables int
		if err := db.Get(&tables, "SELECT count(*) FROM sqlite_master"); err != nil {
			return err
		}
		if tables > 0 {
			return failure.New(failure.Failed, foreignHint, "it is the database of another program")
		}
		if !write {
			return fs.ErrNotExist // made, but nothing was ever recorded
		}
	}
	tx, err := db.Beginx()
	if err != nil {
		return err
	}
	defer tx.Rollback()
	// Another process may have been faster, as readers bring it up to date, too.
	if err := tx.Get(&version, "PRAGMA user_version"); err != nil || version >= len(files) {
		return err
	}
	for _, file := range files[version:] {
		script, err := migrations.ReadFile(file)
		if err != nil {
			return err
		}
		if _, err := tx.Exec(string(script)); err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
	}
	if _, err := tx.Exec(fmt.Sprintf("PRAGMA user_version = %d", len(files))); err != nil {
		return err
	}
	return tx.Commit()
}

// Close closes the database.
func (inv *Inventory) Close() error { return inv.db.Close() }

// inventoryError turns an error of the database into one that a user can act
// on. The path may be empty.
func inventoryError(err error, path string) error {
	if err == nil {
		return nil
	}
	name := "inventory"
	if path != "" {
		name = fmt.Sprintf("inventory %q", path)
	}
	var known *failure.Error
	var sqliteErr *sqlite.Error
	if errors.As(err, &known) {
		return failure.Wrap(err, known.Kind, "", "cannot use %s", name)
	}
	hint := ""
	if errors.As(err, &sqliteErr) {
		switch sqliteErr.Code() & 0xff { // the low byte is the primary code
		case sqlitelib.SQLITE_FULL:
			hint = diskHint(syscall.ENOSPC)
		case sqlitelib.SQLITE_READONLY, sqlitelib.SQLITE_CANTOPEN, sqlitelib.SQLITE_PERM:
			hint = diskHint(fs.ErrPermission)
		case sqlitelib.SQLITE_NOTADB, sqlitelib.SQLITE_CORRUPT:
			hint = "restore inventory.db from a backup; the certificates beside it are not affected"
		case sqlitelib.SQLITE_ERROR: // a table or column is missing
			hint = foreignHint
		case sqlitelib.SQLITE_BUSY:
			hint = "another program holds the inventory; run the command again when it is done"
		}
	}
	return failure.Wrap(err, failure.Failed, hint, "cannot use %s", name)
}
