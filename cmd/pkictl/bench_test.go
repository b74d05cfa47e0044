//go:build unix

package main_test

import (
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pkictl/pkictl/ca"
)

// rounds is how often each contender runs; they take turns, so that a slow
// moment of the machine hits all of them.
const rounds = 60

// contender is a way to do a job, as a shell command; $i is the round.
type contender struct{ name, command string }

// raceScript runs and times the contenders in one shell, as at a prompt, and
// prints a line "NUMBER MICROSECONDS" for each run. Each has a directory of its
// own: whoever syncs one need not write what others left there.
func raceScript(rounds int, contenders []contender) string {
	var b strings.Builder
	b.WriteString("set -eu -o pipefail\nnow() { t=${EPOCHREALTIME/./}; }\n") // bash 5
	fmt.Fprintf(&b, "for ((i = -2; i < %d; i++)); do\n", rounds)
	for n, c := range contenders {
		fmt.Fprintf(&b, "mkdir -p %[1]s; cd %[1]s; now; start=$t\n{ %[2]s; } >output 2>&1\nnow; cd ..; echo %[3]d $((t - start))\n",
			c.name, c.command, n)
	}
	b.WriteString("done\n")
	return b.String()
}

// race runs the contenders in turn and reports the median wall time of each in
// milliseconds, and of all but the first how many times as long it takes.
func race(b *testing.B, dir string, contenders ...contender) {
	b.Helper()
	raceFor(b, rounds, dir, contenders...)
}

// raceFor is race with another number of rounds.
func raceFor(b *testing.B, rounds int, dir string, contenders ...contender) {
	b.Helper()
	cmd := exec.Command("bash", "-c", raceScript(rounds, contenders))
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "HOME="+dir)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		printed, _ := exec.Command("sh", "-c", "tail -n 3 "+dir+"/*/output").Output()
		b.Fatalf("%v\n%s\n%s\n%s", err, out, stderr.String(), printed)
	}
	times := make([][]time.Duration, len(contenders))
	for line := range strings.Lines(string(out)) {
		var n, micros int
		if _, err := fmt.Sscan(line, &n, &micros); err != nil {
			b.Fatalf("%q: %v", line, err)
		}
		times[n] = append(times[n], time.Duration(micros)*time.Microsecond)
	}
	medians := make([]time.Duration, len(contenders))
	for n := range contenders {
		medians[n] = median(times[n][2:]) // the first two fill caches
	}
	b.ReportMetric(0, "ns/op") // all rounds together say nothing
	for n, c := range contenders {
		b.ReportMetric(milliseconds(medians[n]), c.name+"-ms")
		if n > 0 {
			b.ReportMetric(float64(medians[n])/float64(medians[0]), c.name+"/"+contenders[0].name)
		}
	}
}

func median(times []time.Duration) time.Duration {
	slices.Sort(times)
	return times[len(times)/2]
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

func tool(b *testing.B, name string) string { return built(b, "tools/bin/"+name) }

// released is the program as `make build` makes it.
func released(b *testing.B) string { return built(b, "bin/pkictl") }

func built(b *testing.B, name string) string {
	b.Helper()
	path, err := filepath.Abs(filepath.Join("../..", name))
	if err == nil {
		_, err = os.Stat(path)
	}
	if err != nil {
		b.Fatalf("%v (make bench builds it)", err)
	}
	return path
}

func BenchmarkStart(b *testing.B) {
	race(b, b.TempDir(),
		contender{"pkictl", released(b) + " version"},
		contender{"cfssl", tool(b, "cfssl") + " version"},
		contender{"step", tool(b, "step") + " version"},
		contender{"kubeadm", tool(b, "kubeadm") + " version"},
	)
}

// BenchmarkCredential makes one P-256 client credential. pkictl lints it,
// records it, writes a kubeconfig too and syncs all of it to the disk; the
// others do not.
//
// Once each makes new files every time, and once it replaces those of the time
// before, which pkictl does in one step.
func BenchmarkCredential(b *testing.B) {
	b.Run("new", func(b *testing.B) { raceForCredential(b, "$i", "") })
	b.Run("replaced", func(b *testing.B) { raceForCredential(b, "", " --force") })
}

func raceForCredential(b *testing.B, suffix, force string) {
	b.Helper()
	dir := b.TempDir()
	run := func(command string) {
		b.Helper()
		cmd := exec.Command("sh", "-c", command)
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); err != nil {
			b.Fatalf("%s: %v\n%s", command, err, out)
		}
	}
	run(released(b) + " init-ca")
	run(`echo '{"CN":"jane","names":[{"O":"developers"}],"key":{"algo":"ecdsa","size":256}}' > request.json
		echo '{"signing":{"default":{"usages":["digital signature","client auth"],"expiry":"2160h"}}}' > config.json`)
	cfssl := fmt.Sprintf("%s gencert -loglevel 4 -ca ../pki/ca.crt -ca-key ../pki/ca.key -config ../config.json ../request.json | %s -bare cfssl-%s",
		tool(b, "cfssl"), tool(b, "cfssljson"), suffix)
	step := tool(b, "step") + " certificate create jane step-" + suffix + ".crt step-" + suffix + ".key --ca ../pki/ca.crt --ca-key ../pki/ca.key --no-password --insecure --force --not-after 2160h"
	openssl := strings.ReplaceAll(`openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out openssl-$i.key &&
		openssl req -new -key openssl-$i.key -subj /O=developers/CN=jane -out openssl-$i.csr &&
		openssl x509 -req -in openssl-$i.csr -CA ../pki/ca.crt -CAkey ../pki/ca.key -days 90 -out openssl-$i.crt`, "$i", suffix)
	race(b, dir,
		contender{"pkictl", released(b) + " issue --dir ../pki -q --cn jane" + suffix + " --group developers --kubeconfig jane" + suffix + ".conf --server https://10.0.0.10:6443" + force},
		contender{"cfssl", cfssl},
		contender{"step", step},
		contender{"openssl", openssl},
	)
}

// BenchmarkInventory issues with 10 and with 100,000 rows in the inventory.
func BenchmarkInventory(b *testing.B) {
	dir := b.TempDir()
	for _, rows := range []int{10, 100_000} {
		pki := filepath.Join(dir, fmt.Sprintf("inventory-%d", rows))
		if _, err := ca.Init(context.Background(), ca.InitOptions{Dir: pki, Now: time.Now()}); err != nil {
			b.Fatal(err)
		}
		fillInventory(b, filepath.Join(pki, "inventory.db"), rows)
	}
	issue := released(b) + " issue -q --cn jane$i --dir ../"
	race(b, dir, contender{"10-rows", issue + "inventory-10"}, contender{"100000-rows", issue + "inventory-100000"})
}

// fillInventory copies the CA's row under other serials.
func fillInventory(b *testing.B, path string, rows int) {
	b.Helper()
	db, err := sql.Open("sqlite", "file:"+path)
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	_, err = db.Exec(`WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?)
		INSERT INTO certificates
		SELECT serial_number || i, authority_key_identifier, ca_label, status, reason, expiry, revoked_at, pem,
			issued_at, not_before, metadata, sans, common_name || i
		FROM certificates, n`, rows)
	if err != nil {
		b.Fatal(err)
	}
}
