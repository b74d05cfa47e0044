package main

import (
	"context"
	"crypto/x509"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"k8s.io/client-go/tools/clientcmd/api"

	"github.com/pkictl/pkictl/ca"
	"github.com/pkictl/pkictl/internal/failure"
	"github.com/pkictl/pkictl/internal/store"
	"github.com/pkictl/pkictl/kubeconfig"
)

// source is what an argument of inspect or verify stands for.
type source struct {
	name   string // what results and errors call it
	path   string // of the file; empty where it is none
	items  []ca.Item
	states []ca.State  // of items that come from the inventory
	config *api.Config // in place of items
}

// load reads what the argument names: standard input, a file, or a certificate
// in the PKI directory or its inventory.
func (a *app) load(ctx context.Context, arg string) (*source, error) {
	if arg == "-" {
		const name = "standard input"
		data, err := store.ReadAll(a.in, name, store.MaxYAML)
		if err != nil {
			return nil, err
		}
		return a.newSource(ctx, data, name, "")
	}
	if _, err := os.Stat(arg); !errors.Is(err, fs.ErrNotExist) {
		return a.loadFile(ctx, arg)
	}
	// An absolute path, or one with "..", is not a name.
	if path := filepath.Join(a.dir, arg+".crt"); filepath.IsLocal(arg) {
		if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
			return a.loadFile(ctx, path)
		}
	}
	return a.loadRecorded(ctx, arg)
}

func (a *app) loadFile(ctx context.Context, path string) (*source, error) {
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		return nil, failure.New(failure.Failed, "name a file in it; a PKI directory is what --dir takes", "%q is a directory", path)
	}
	// What is in it decides which limit holds; ca.Decode checks that of PEM.
	limit := int64(store.MaxYAML)
	if strings.HasSuffix(path, ".crl") {
		limit = store.MaxCRL
	}
	data, err := store.Read(path, limit)
	if err != nil {
		return nil, err
	}
	return a.newSource(ctx, data, path, path)
}

func (a *app) newSource(ctx context.Context, data []byte, name, path string) (*source, error) {
	if len(data) == 0 {
		return nil, failure.New(failure.Failed, "check that what wrote it did not fail", "%q is empty", name)
	}
	src := &source{name: name, path: path}
	var err error
	if ca.IsPKCS12(data) {
		src.items, err = ca.DecodePKCS12(data, name, a.askPKCS12(ctx))
		return src, err
	}
	if ca.IsEncoded(data) {
		src.items, err = ca.Decode(data, name)
		return src, err
	}
	if src.config, err = kubeconfig.Parse(data, name); err != nil {
		return nil, failure.New(failure.Failed,
			"PEM has a line that begins with -----BEGIN; a kubeconfig has apiVersion: v1 and kind: Config; decode base64 alone with: base64 -d",
			"%q is neither PEM nor DER nor a kubeconfig", name)
	}
	return src, nil
}

// loadRecorded looks for certificates of that name in the inventory.
func (a *app) loadRecorded(ctx context.Context, name string) (*source, error) {
	if noCA(a.dir) {
		return nil, a.notFound(name)
	}
	entries, err := ca.List(ctx, ca.ListOptions{Dir: a.dir, Name: name, Now: a.now(), WithPEM: true})
	if err != nil {
		return nil, err
	}
	// What was issued last is what people mean.
	slices.SortStableFunc(entries, func(a, b ca.Entry) int { return b.IssuedAt.Compare(a.IssuedAt) })
	src := &source{name: name}
	for _, entry := range entries {
		if entry.PEM == "" {
			continue
		}
		items, err := ca.Decode([]byte(entry.PEM), "serial "+entry.Serial+" of the inventory")
		if err != nil {
			return nil, err
		}
		for _, item := range items {
			item.Block, item.Label = 0, "" // each has a row of its own, not a place in a file
			src.items, src.states = append(src.items, item), append(src.states, entry.State)
		}
	}
	if src.items == nil {
		return nil, a.notFound(name)
	}
	return src, nil
}

func (a *app) notFound(name string) error {
	return failure.New(failure.Failed,
		"name a file, a certificate of the PKI directory (see: pkictl list), or a server as in https://10.0.0.10:6443",
		"there is no file %q, and no certificate of that name in %q", name, a.dir)
}

func (a *app) inspectSource(ctx context.Context, arg string, result *inspection) error {
	src, err := a.load(ctx, arg)
	if err != nil {
		return err
	}
	result.Source = src.name
	if src.config != nil {
		view := newKubeconfigReader(src).view(a.now())
		result.Items = []inspectedItem{{Item: ca.Item{Kind: kindKubeconfig}, Kubeconfig: view}}
		return nil
	}
	cert, certName := src.certificateOfKey()
	for i, item := range src.items {
		inspected := inspectedItem{Item: item}
		if src.states != nil {
			inspected.State = src.states[i]
		}
		if item.Kind == ca.ItemPrivateKey && item.Key.Public != nil && cert != nil {
			inspected.Checks = []ca.Check{ca.CheckKey(cert, certName, item.Key.Public, src.name)}
		}
		result.Items = append(result.Items, inspected)
	}
	return nil
}

// certificateOfKey returns the certificate that a private key in the source
// should belong to: one in the same file, as the kubelet keeps it, or
// NAME.crt beside NAME.key.
func (s *source) certificateOfKey() (*x509.Certificate, string) {
	if certs := ca.Certificates(s.items); len(certs) > 0 {
		return certs[0], "the certificate in the same file"
	}
	prefix, isKey := strings.CutSuffix(s.path, ".key")
	if !isKey {
		return nil, ""
	}
	path := prefix + ".crt"
	data, err := store.Read(path, store.MaxPEM)
	if err != nil {
		return nil, "" // it was not asked for
	}
	items, err := ca.Decode(data, path)
	if certs := ca.Certificates(items); err == nil && len(certs) > 0 {
		return certs[0], path
	}
	return nil, ""
}
