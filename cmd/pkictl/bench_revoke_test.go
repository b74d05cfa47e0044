//go:build unix

package main_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/pkictl/pkictl/ca"
)

// newInventory makes a CA with an inventory of so many certificates. One of a
// thousand ends within 29 days, the others later. With revoked set all are.
func newInventory(b *testing.B, pki string, rows int, revoked bool) {
	b.Helper()
	now := time.Now()
	if _, err := ca.Init(context.Background(), ca.InitOptions{Dir: pki, Now: now}); err != nil {
		b.Fatal(err)
	}
	o := ca.IssueOptions{Dir: pki, CommonName: "user", Groups: []string{"developers"}, Now: now}
	if _, err := ca.Issue(context.Background(), o); err != nil {
		b.Fatal(err)
	}
	db, err := sql.Open("sqlite", "file:"+filepath.Join(pki, "inventory.db")+"?_pragma=journal_mode(OFF)&_pragma=synchronous(OFF)")
	if err != nil {
		b.Fatal(err)
	}
	// Serials are random, and strings in the inventory.
	_, err = db.Exec(`WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?1)
		INSERT INTO certificates
		SELECT printf('%d%019d%010d', 1 + abs(random()) % 9, abs(random()), i), authority_key_identifier, ca_label,
			iif(?2, 'revoked', status), iif(?2, i % 6, 0),
			strftime('%Y-%m-%d %H:%M:%S+00:00', 'now', '+' || iif(i % 1000 = 0, 1 + i % 29, 31 + i % 300) || ' days'),
			iif(?2, strftime('%Y-%m-%d %H:%M:%S+00:00', 'now', '-1 day'), revoked_at), pem, issued_at, not_before,
			json_set(metadata, '$.name', 'user-' || i, '$.out', 'user-' || i), sans, 'user-' || i
		FROM certificates, n WHERE common_name = 'user'`, rows, revoked)
	if err := errors.Join(err, db.Close()); err != nil {
		b.Fatal(err)
	}
}

// BenchmarkList looks for what ends within 30 days, among 1,000 certificates and
// among 1,000,000: one and a thousand are due.
func BenchmarkList(b *testing.B) {
	dir := b.TempDir()
	newInventory(b, filepath.Join(dir, "inventory-1000"), 1_000, false)
	newInventory(b, filepath.Join(dir, "inventory-1000000"), 1_000_000, false)
	list := " list --expiring 30d || test $? = 3"
	race(b, dir,
		contender{"1000000-rows", released(b) + " --dir ../inventory-1000000" + list},
		contender{"1000-rows", released(b) + " --dir ../inventory-1000" + list},
		contender{"metrics-of-1000000", released(b) + " --dir ../inventory-1000000 list --quiet --expiring 30d --prometheus x.prom || test $? = 3"},
	)
}

// BenchmarkCRL signs a list of 100,000 entries. pkictl and cfssl crl read them
// from the same inventory, openssl from its index.txt, and cfssl gencrl from a
// list of serials. pkictl gives reasons and a number, lints the list, checks it,
// and syncs it to the disk.
func BenchmarkCRL(b *testing.B) {
	dir := b.TempDir()
	newInventory(b, filepath.Join(dir, "pki"), 100_000, true)
	prepare := exec.Command("bash", "-c", `set -eu -o pipefail
		`+released(b)+` crl --explain > explain.sh
		sed -n '/^R\t/p' explain.sh > index.txt; sed -n '/^\[ca\]/,/^EOF/p' explain.sh | sed 's/$ENV::work/../; /^EOF/d' > openssl.cnf
		echo 01 > number
		`+released(b)+` list --state revoked -o json | sed -n 's/.*"serial": "\(.*\)",/\1/p' | (echo ibase=16; cat) | BC_LINE_LENGTH=0 bc > serials
		test $(wc -l < serials) = 100000; test $(wc -l < index.txt) = 100000
		echo '{"driver":"sqlite3","data_source":"../pki/inventory.db"}' > db.json`)
	prepare.Dir = dir
	if out, err := prepare.CombinedOutput(); err != nil {
		b.Fatalf("%v\n%s", err, out)
	}
	key := " ../pki/ca.crt ../pki/ca.key "
	raceFor(b, 10, dir,
		contender{"pkictl", released(b) + " --dir ../pki crl -q"},
		contender{"openssl", "openssl ca -config ../openssl.cnf -cert ../pki/ca.crt -keyfile ../pki/ca.key -gencrl -crldays 7 -out openssl.crl"},
		contender{"cfssl-crl", fmt.Sprintf("%s crl -loglevel 4 -db-config ../db.json -ca ../pki/ca.crt -ca-key ../pki/ca.key -expiry 168h > cfssl.crl", tool(b, "cfssl"))},
		contender{"cfssl-gencrl", fmt.Sprintf("%s gencrl -loglevel 4 ../serials%s 604800 > gencrl.crl", tool(b, "cfssl"), key)},
	)
	for _, name := range []string{"openssl/openssl.crl", "cfssl-crl/cfssl.crl", "cfssl-gencrl/gencrl.crl"} {
		if info, err := os.Stat(filepath.Join(dir, name)); err != nil || info.Size() < 3_000_000 {
			b.Errorf("%s: %v, %v", name, info, err)
		}
	}
}
