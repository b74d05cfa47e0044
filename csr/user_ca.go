package csr

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/pkictl/pkictl/ca"
	"github.com/pkictl/pkictl/internal/failure"
	"github.com/pkictl/pkictl/internal/kubeclient"
	"github.com/pkictl/pkictl/internal/store"
)

// clientCAs is where every API server says by which CAs it knows its clients
// (kubernetes pkg/controlplane/controller/clusterauthenticationtrust).
const clientCAs = kubeclient.Namespaces + "/kube-system/configmaps/extension-apiserver-authentication"

// signsFor says whether a CA, or one above it, is a client CA of the cluster.
// Where that may not be read the CA in the kubeconfig is taken for it, as
// kubeadm has it; known is false where there is none either.
func signsFor(ctx context.Context, c *kubeclient.Client, authority *ca.CA) (is, known bool, err error) {
	var published corev1.ConfigMap
	err = c.Get(ctx, clientCAs, &published)
	roots := []byte(published.Data["client-ca-file"])
	switch {
	case apierrors.IsForbidden(err), apierrors.IsNotFound(err), err == nil && len(roots) == 0:
		if roots, err = c.CAPEM(); err != nil {
			return false, false, err
		}
	case err != nil:
		return false, false, err
	}
	for block, rest := pem.Decode(roots); block != nil; block, rest = pem.Decode(rest) {
		known = true
		for _, cert := range authority.Bundle() {
			if bytes.Equal(cert.Raw, block.Bytes) {
				return true, true, nil
			}
		}
	}
	return false, known, nil
}

// openCA opens the CA that signs, if the cluster does not. One whose signature
// the cluster does not take is refused.
func (a *adder) openCA(ctx context.Context) error {
	if a.o.Via != ViaCA {
		return nil
	}
	var err error
	if a.ca, err = ca.Open(a.o.Dir); err != nil {
		return err
	}
	var is, known bool
	err = a.timed(func() error {
		is, known, err = signsFor(ctx, a.c, a.ca)
		return err
	})
	if err == nil && known && !is {
		return failure.New(failure.Refused, "name the directory of the cluster's CA with --dir, or use --via csr",
			"the CA in %q does not sign for the clients of %s: the API server knows them by another", a.o.Dir, kubeclient.ShowURL(a.c.Server()))
	}
	return err
}

// issueOptions are those of the local CA.
func (a *adder) issueOptions() ca.IssueOptions {
	o := ca.IssueOptions{
		Dir: a.o.Dir, CommonName: a.o.Name, Groups: a.o.Groups, Key: a.o.Key,
		Validity: fmt.Sprintf("%ds", a.o.Seconds), Force: a.o.Force || a.pending.Overwrite,
		Now: a.o.Now, Waiting: a.o.Waiting, Passphrase: a.o.Passphrase,
		AlsoPaths: []string{a.o.Out},
	}
	o.Also = func(c ca.Credential) ([]store.File, error) {
		entry := a.entry()
		var err error
		if entry.CAPEM, err = a.c.CAPEM(); err != nil {
			return nil, err
		}
		entry.CertPEM, entry.KeyPEM = c.CertPEM, c.KeyPEM
		data, err := entry.Marshal()
		return []store.File{{Path: a.o.Out, Data: data, Mode: 0o600}}, err
	}
	return o
}

// issueLocally has the CA in the directory sign: key, certificate and
// kubeconfig are written in one step, and the inventory knows them.
func (a *adder) issueLocally(ctx context.Context) error {
	if err := store.Recover(ctx, a.o.Dir, a.o.Waiting); err != nil {
		return err
	}
	// An interrupted run may have been completed just now.
	if held := certificateIn(a.o.Out, a.o.Name); a.result.Resumed && held != nil && a.pending.made(held) {
		a.cert = held
	} else {
		a.start(StepIssue)
		issued, err := ca.Issue(ctx, a.issueOptions())
		if err != nil {
			return err
		}
		a.cert = issued.Certificate
		a.result.Warnings = append(a.result.Warnings, issued.Warnings...)
	}
	a.result.Credential = CredentialOf(a.cert)
	a.finished(StepIssue, a.result.Credential.Serial)
	a.finished(StepKubeconfig, a.o.Out)
	return nil
}

// certificateOf reads the certificate of an issued object.
func certificateOf(object *Object) (*x509.Certificate, error) {
	cert := Certificate(object)
	if cert == nil {
		return nil, failure.New(failure.Failed, "see what the signer of the cluster does", "certificate signing request %q holds no certificate that can be read", object.Name)
	}
	return cert, nil
}

// inventoryOf lists the client certificates in force that the CA in a
// directory has issued, if it is a client CA of this cluster. Where there is
// none, or no inventory, that is no error; where they cannot be read, that is a
// warning: what the cluster has does not depend on it.
func inventoryOf(ctx context.Context, c *kubeclient.Client, o ca.ListOptions) (entries []ca.Entry, warning string, err error) {
	if o.Dir == "" {
		return nil, "", nil
	}
	if _, err := store.Read(store.InventoryPath(o.Dir), 0); errors.Is(err, fs.ErrNotExist) {
		return nil, "", nil
	}
	leftOut := func(why string) string { return "the inventory in " + o.Dir + " is left out: " + why }
	authority, err := ca.Open(o.Dir)
	if err != nil {
		return nil, leftOut(err.Error()), nil
	}
	defer authority.Close()
	is, known, err := signsFor(ctx, c, authority)
	if err != nil {
		return nil, "", err
	}
	if known && !is {
		return nil, leftOut("its CA does not sign for the clients of this cluster"), nil
	}
	o.WithPEM = true
	if entries, err = ca.List(ctx, o); err != nil && ctx.Err() == nil {
		return nil, leftOut(err.Error()), nil
	}
	return entries, "", err
}
