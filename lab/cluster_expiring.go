package lab

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/pkictl/pkictl/ca"
	"github.com/pkictl/pkictl/cluster"
	"github.com/pkictl/pkictl/internal/failure"
	"github.com/pkictl/pkictl/internal/store"
)

// expiring is a certificate of the cluster that ends soon after the start of the lab.
type expiring struct{ name, validity string }

// readExpiring reads certificates by the names that cluster.Renew knows, and for how
// long they are valid from the start of the lab: {apiserver: 3d}.
func (r *reader) readExpiring(to *[]expiring) func(*yaml.Node) error {
	return func(n *yaml.Node) error {
		return r.Entries(n, "expiring", func(key, value *yaml.Node) error {
			name, err := cluster.RenewableName(key.Value)
			if err != nil {
				return r.At(key, err)
			}
			validity, err := r.Text(value, "the time of "+name)
			if err == nil {
				_, err = ca.ParseValidity(validity)
			}
			*to = append(*to, expiring{name, validity})
			return r.At(value, err)
		})
	}
}

// expire makes the certificates anew that are to end soon, before the cluster is
// started.
func (c *ownCluster) expire(ctx context.Context, dir string, now time.Time) error {
	for _, e := range c.expiring {
		result, err := cluster.Renew(ctx, cluster.RenewOptions{Dir: dir, Names: []string{e.name}, Validity: e.validity, Now: now})
		if err != nil {
			return err
		}
		if len(result.Nodes) != 1 {
			return failure.New(failure.Failed, "reset the lab", "cannot make the certificate %s", e.name)
		}
	}
	return nil
}

// baselineFile below the cluster's run directory says what its PKI was when the lab
// was started.
const baselineFile = "baseline.json"

// baseline is that: the certificates, and hashes of all files, by their paths below the
// cluster directory.
type baseline struct {
	Certificates map[string][]byte `json:"certificates"` // DER
	Files        map[string]string `json:"files"`
}

// isOfPKI says whether a file of a cluster directory is a certificate, a key or a
// kubeconfig.
func isOfPKI(name string) bool {
	switch path.Ext(name) {
	case ".crt", ".key", ".pub", ".conf":
		return !strings.HasPrefix(name, runDir+"/") && name != graderFile
	}
	return false
}

// noteBaseline writes down what the PKI is.
func noteBaseline(dir string) error {
	b := baseline{Certificates: map[string][]byte{}, Files: map[string]string{}}
	err := fs.WalkDir(os.DirFS(dir), ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !isOfPKI(name) {
			return err
		}
		data, err := store.Read(filepath.Join(dir, filepath.FromSlash(name)), store.MaxPEM)
		if err != nil {
			return err
		}
		b.Files[name] = fullHash(data)
		if path.Ext(name) == ".crt" {
			cert, err := ca.ReadCertificate(filepath.Join(dir, filepath.FromSlash(name)))
			if err != nil {
				return err
			}
			b.Certificates[name] = cert.Raw
		}
		return nil
	})
	if err != nil {
		return err
	}
	data, err := json.Marshal(b)
	if err != nil {
		return err
	}
	run := filepath.Join(dir, runDir)
	if err := os.MkdirAll(run, 0o700); err != nil {
		return failure.Wrap(store.Cause(err), failure.Failed, "", "cannot make directory %q", run)
	}
	return store.ReplaceFile(store.File{Path: filepath.Join(run, baselineFile), Data: data, Mode: 0o600})
}

func fullHash(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// baseline returns what the PKI was when the lab was started.
func (w *work) baseline() (*baseline, error) {
	data, err := readPlain(w.learner.root, filepath.FromSlash(path.Join(clusterDir, runDir, baselineFile)), maxKept)
	var b baseline
	if err != nil || json.Unmarshal(data, &b) != nil {
		return nil, errors.New("it is not known any more how the lab began: reset it")
	}
	return &b, nil
}
