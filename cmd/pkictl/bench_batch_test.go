//go:build unix

package main_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/pkictl/pkictl/ca"
)

// batchRounds is how often the contenders take turns.
const batchRounds = 3

// BenchmarkBatch makes 10,000 P-256 client credentials from one file, all files
// and rows on the disk, beside a loop over cfssl and beside the bare arithmetic
// on all processors: making the keys, and signing the certificates. Rates are in
// credentials a second.
func BenchmarkBatch(b *testing.B) {
	var ours, cfssls, bare []float64
	memory := int64(0)
	for range batchRounds {
		rate, peak := batchRate(b, 10_000)
		ours, memory = append(ours, rate), max(memory, peak)
		cfssls = append(cfssls, cfsslRate(b, 300))
		bare = append(bare, bareRate(b, 10_000))
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(middle(ours), "pkictl/s")
	b.ReportMetric(middle(cfssls), "cfssl-loop/s")
	b.ReportMetric(middle(bare), "bare/s")
	b.ReportMetric(middle(ours)/middle(cfssls), "pkictl/cfssl-loop")
	b.ReportMetric(100*middle(ours)/middle(bare), "%-of-bare")
	b.ReportMetric(float64(memory), "MB")
}

// BenchmarkBatchSizes shows whether the time for 1,000 depends on how many
// there are.
func BenchmarkBatchSizes(b *testing.B) {
	b.ReportMetric(0, "ns/op")
	for _, size := range []int{1_000, 10_000, 100_000} {
		rate, _ := batchRate(b, size)
		b.ReportMetric(1000/rate, fmt.Sprintf("s/1000-of-%d", size))
	}
}

func middle(list []float64) float64 {
	slices.Sort(list)
	return list[len(list)/2]
}

// batchRate returns credentials a second, and the peak of memory in MB.
func batchRate(b *testing.B, size int) (float64, int64) {
	b.Helper()
	// Not removed in between: ext4 avoids inodes that were just freed, which
	// makes files slow to create for some seconds.
	dir := b.TempDir()
	users := "cn,group\n" + strings.Join(slices.Collect(func(yield func(string) bool) {
		for i := range size {
			if !yield(fmt.Sprintf("user%d,developers", i)) {
				return
			}
		}
	}), "\n")
	if err := os.WriteFile(filepath.Join(dir, "users.csv"), []byte(users), 0o600); err != nil {
		b.Fatal(err)
	}
	shell(b, dir, released(b)+" init-ca -q")
	cmd := exec.Command(released(b), "issue", "-q", "-f", "users.csv")
	cmd.Dir = dir
	begun := time.Now()
	if out, err := cmd.CombinedOutput(); err != nil {
		b.Fatalf("%v\n%s", err, out)
	}
	spent := time.Since(begun)
	usage := cmd.ProcessState.SysUsage().(*syscall.Rusage)
	return float64(size) / spent.Seconds(), usage.Maxrss / 1024
}

// cfsslRate returns credentials a second of a loop as people write it.
func cfsslRate(b *testing.B, size int) float64 {
	b.Helper()
	dir := b.TempDir()
	shell(b, dir, released(b)+` init-ca -q
		echo '{"signing":{"default":{"usages":["digital signature","client auth"],"expiry":"2160h"}}}' > config.json`)
	begun := time.Now()
	shell(b, dir, fmt.Sprintf(`for i in $(seq %d); do
		echo '{"CN":"user'$i'","names":[{"O":"developers"}],"key":{"algo":"ecdsa","size":256}}' |
		%s gencert -loglevel 4 -ca pki/ca.crt -ca-key pki/ca.key -config config.json - | %s -bare user$i
		done`, size, tool(b, "cfssl"), tool(b, "cfssljson")))
	return float64(size) / time.Since(begun).Seconds()
}

// bareRate returns how many keys and certificates Go makes a second when
// nothing is checked, recorded or written.
func bareRate(b *testing.B, size int) float64 {
	b.Helper()
	dir := filepath.Join(b.TempDir(), "pki")
	root, err := ca.Init(b.Context(), ca.InitOptions{Dir: dir, Now: time.Now()})
	if err != nil {
		b.Fatal(err)
	}
	key, err := ca.ReadKey(root.KeyPath, nil)
	if err != nil {
		b.Fatal(err)
	}
	begun := time.Now()
	var workers sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		workers.Go(func() {
			for range size / runtime.GOMAXPROCS(0) {
				own, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
				if err == nil {
					_, err = x509.CreateCertificate(rand.Reader, root.Certificate, root.Certificate, own.Public(), key)
				}
				if err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	workers.Wait()
	return float64(size) / time.Since(begun).Seconds()
}
