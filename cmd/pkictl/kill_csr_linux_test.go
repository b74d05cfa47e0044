package main_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pkictl/pkictl/ca"
	"github.com/pkictl/pkictl/csr"
)

// TestKillCSRNew: there is never a request beside a key that is not its own, and
// the next run goes on with the key that is there.
func TestKillCSRNew(t *testing.T) {
	t.Parallel()
	for name, command := range map[string]struct {
		prepare func(dir string)
		args    []string
	}{
		"new":   {func(string) {}, in("csr", "new", "jane")},
		"force": {func(dir string) { do(t, dir, "csr", "new", "jane") }, in("csr", "new", "jane", "--force")},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			did, resumed := 0, 0
			n := killEverywhere(t, command.prepare, command.args, func(what, dir string) {
				_, err := os.Stat(filepath.Join(dir, "jane.csr"))
				hasRequest := err == nil
				_, err = os.Stat(filepath.Join(dir, "jane.key"))
				if hasRequest && errors.Is(err, fs.ErrNotExist) {
					t.Errorf("%s: a request without a key", what)
				}
				if hasRequest {
					did++
				} else {
					out := do(t, dir, "csr", "new", "jane")
					if (err == nil) != strings.Contains(out, "with the key that was there") {
						t.Errorf("%s: key there: %v, and the next run says\n%s", what, err, out)
					}
					if err == nil {
						resumed++
					}
				}
				request, err := ca.ReadRequest(filepath.Join(dir, "jane.csr"))
				ok(t, err)
				key, err := ca.ReadKey(filepath.Join(dir, "jane.key"), nil)
				ok(t, err)
				if fmt.Sprint(key.Public()) != fmt.Sprint(request.X509().PublicKey) {
					t.Errorf("%s: the request is of another key", what)
				}
			})
			if n < 8 || did == 0 || resumed == 0 {
				t.Errorf("killed at %d system calls: %d had a request, %d a key alone", n, did, resumed)
			}
		})
	}
}

// TestKillCSRSign kills csr sign everywhere: the cluster has no certificate that
// the inventory does not know, and the next run completes with at most one more.
func TestKillCSRSign(t *testing.T) {
	t.Parallel()
	cluster := sharedCluster(t)
	c := client(t, cluster.admin)
	_, request, err := csr.NewRequest(csr.RequestOptions{CommonName: "kill-csr-sign"})
	ok(t, err)
	signedFirst, resent, made := 0, 0, 0
	const name = "kill-csr-sign"
	n := killEverywhere(t, func(dir string) {
		_ = c.Delete(t.Context(), oneCSR+name, "") // of the kill before
		o := own("example.com/kill-csr-sign")
		o.RequestPEM, o.Name = request, name
		object, _, err := csr.Submit(t.Context(), c, o)
		ok(t, err)
		_, err = csr.Approve(t.Context(), c, object, "")
		ok(t, err)
		do(t, dir, "init-ca")
	}, in("csr", "sign", name, "--kubeconfig", cluster.admin), func(what, dir string) {
		object, err := csr.Get(t.Context(), c, name)
		ok(t, err)
		before := len(object.Status.Certificate) > 0
		out := do(t, dir, "csr", "sign", name, "--kubeconfig", cluster.admin)
		switch {
		case before:
			signedFirst++
		case strings.HasPrefix(out, "Signed before"):
			resent++
		default:
			made++
		}
		object, err = csr.Get(t.Context(), c, name)
		ok(t, err)
		cert := csr.Certificate(object)
		good := 0
		for _, row := range rowsOf(t, filepath.Join(dir, "pki", "inventory.db")) {
			if strings.Contains(row, " good "+name+" ") {
				good++
				if !strings.Contains(row, cert.SerialNumber.String()) {
					t.Errorf("%s: the inventory has %s", what, row)
				}
			}
		}
		if good != 1 {
			t.Errorf("%s: %d certificates", what, good)
		}
	})
	t.Logf("killed at %d system calls: %d had delivered, %d had signed, %d had not", n, signedFirst, resent, made)
	// Delivering is the last that it does: no file need change after it.
	if resent == 0 || made == 0 {
		t.Errorf("the kills miss the point")
	}
}
