package main

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/pkictl/pkictl/ca"
	"github.com/pkictl/pkictl/csr"
	"github.com/pkictl/pkictl/internal/failure"
	"github.com/pkictl/pkictl/internal/kubeclient"
	"github.com/pkictl/pkictl/internal/store"
	"github.com/pkictl/pkictl/kubeconfig"
)

// Where credentials come from: the values of --via.
const (
	viaCSR = "csr"
	viaCA  = "ca"
)

// underWay is the environment variable that names the credentials which the
// programs above this one are getting: a kubeconfig must not need what it is
// needed for.
const underWay = "PKICTL_CREDENTIAL"

type credentialFlags struct {
	commonName string
	groups     []string
	key        string
	lifetime   string // --for
	via        string
	cache      string
	wait       time.Duration
	allow      []string
	approve    bool
	renew      bool
	explain    bool

	conn       *connection
	passphrase ca.Passphrase
	want       kubeconfig.Want
}

func (a *app) credentialCmd() *cobra.Command {
	var f credentialFlags
	cmd := &cobra.Command{
		Use:   "credential --cn NAME [--group GROUP]... [--via csr|ca]",
		Short: "Hand out short-lived certificates, as kubectl's credential plugin",
		Long: `Print a client certificate and its key as an ExecCredential of
client.authentication.k8s.io/v1. kubectl and other programs that use client-go
run it where a kubeconfig says so; pkictl kubeconfig create --exec writes one.

The certificate is kept in a cache of mode 0600, and renewed when two thirds of
its time are over. However many kubectl ask at once, one certificate is made.
If that fails while the old one still holds, the old one is handed out, with a
warning.

With --via ca the CA in the PKI directory signs it. With --via csr it is asked of
the cluster by a certificate signing request: the first time with what the
kubeconfig logs in with, and then with the certificate that is to be renewed.
Something in the cluster, or somebody, approves it; --approve does so with the
rights of whoever asks. While it waits for that, each call goes on with the same
request. The kubeconfig may be the one that runs this command, once there is a
certificate; for the first one name another with --kubeconfig.

Without --cn it is for the user, and the groups, of the client certificate in
the kubeconfig.`,
		Example: `  pkictl credential --cn kay --group developers --via ca
  pkictl credential --cn kay --group developers --via csr --approve --for 30m
  pkictl kubeconfig create kay --exec --group developers --via ca --server https://10.0.0.10:6443
  pkictl credential --cn kay --group developers --explain`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.credential(cmd, f) },
	}
	flags := cmd.Flags()
	flags.StringVar(&f.commonName, "cn", "", "common `NAME`: the user's (default that of the kubeconfig's certificate)")
	flags.StringArrayVar(&f.groups, "group", nil, "`GROUP` (organization); may be given several times")
	flags.StringVar(&f.lifetime, "for", "1h", "`TIME` for which each certificate is valid, as in 30m or 8h; by csr at least 10m")
	flags.StringVar(&f.via, "via", viaCSR, "`WAY` to a certificate: csr (the cluster's signer), or ca (the CA in the PKI directory)")
	flags.StringVar(&f.key, "key", string(ca.ECDSAP256), "`KIND` of key: "+keyKinds())
	flags.BoolVar(&f.approve, "approve", false, "approve the request, with the rights of whoever sends it")
	flags.StringVar(&f.cache, "cache", "", "`DIRECTORY` of the credentials (default pkictl/credentials in the user's cache directory)")
	flags.DurationVar(&f.wait, "wait", 15*time.Second, "`TIME` that a new certificate may take")
	flags.StringArrayVar(&f.allow, "allow", nil, "let a request have what is refused otherwise, by `NAME`: name:NAME, group:NAME")
	flags.BoolVar(&f.renew, "renew", false, "make a new one, though the one in the cache holds")
	f.conn = addConnection(cmd)
	a.addPassphrase(cmd)
	addExplain(cmd, &f.explain)
	complete(cmd, "via", viaCSR, viaCA)
	complete(cmd, "allow", reservedNames...)
	complete(cmd, "key", ca.KeyKindNames()...)
	return cmd
}

func (a *app) credential(cmd *cobra.Command, f credentialFlags) error {
	info, err := kubeconfig.ParseExecInfo(a.env(kubeconfig.ExecInfoVariable))
	if err != nil {
		return err
	}
	f.cache = a.cacheDir(f.cache)
	if err := a.planCredential(cmd, &f); err != nil {
		return err
	}
	f.passphrase = func(name string) ([]byte, error) {
		if passphrase, err := a.givenPassphrase(a.passphraseFile, envVariable); passphrase != nil || err != nil {
			return passphrase, err
		}
		if info.Given && !info.Interactive {
			return nil, ca.ErrNoPassphrase
		}
		return a.askPassphrase(cmd.Context(), name, false)
	}
	if f.explain {
		return a.explain(a.explainCredential(f))
	}
	mint, check := a.minter(f)
	cache := &kubeconfig.CredentialCache{
		Dir: f.cache, Now: a.clock(), Warn: func(warning string) { a.warn(warning) }, Wait: f.wait, Renew: f.renew, Check: check,
	}
	if f.via == viaCA {
		cache.Issuer = fileHash(ca.CertPath(a.dir))
	}
	credential, err := cache.Get(cmd.Context(), f.want, mint)
	if cmd.Context().Err() != nil {
		return failure.New(failure.Failed, "run it again: it goes on where it was", "interrupted while making a credential of %q", f.commonName)
	}
	if err != nil {
		return err
	}
	answer, err := kubeconfig.ExecAnswer(credential.CertPEM, credential.KeyPEM, credential.AskAgain)
	if err != nil {
		return err
	}
	_, err = a.out.Write(answer)
	return err
}

// planCredential checks the flags, and says what is wanted. It runs each time
// that somebody waits for kubectl, so it reads no more than it must.
func (a *app) planCredential(cmd *cobra.Command, f *credentialFlags) error {
	lifetime, err := ca.ParseValidity(f.lifetime)
	if err != nil {
		return err
	}
	kind, err := ca.ParseKeyKind(f.key)
	if err != nil {
		return err
	}
	switch {
	case f.via != viaCSR && f.via != viaCA:
		return failure.New(failure.Usage, "choose one of "+viaCSR+", "+viaCA, "there is no way %q to a certificate", f.via)
	case f.approve && f.via != viaCSR:
		return failure.New(failure.Usage, "leave --approve out", "--approve is for --via csr: what the CA signs needs no approval")
	case f.allow != nil && f.via != viaCSR:
		return failure.New(failure.Usage, "leave --allow out", "--allow is for --via csr: the CA takes every name")
	case cmd.Flags().Changed(fileFlag) && f.via != viaCA:
		return failure.New(failure.Usage, "leave one of them out", "--%s is for the key of a CA, and goes with --via ca", fileFlag)
	case a.output == "yaml":
		return failure.New(failure.Usage, "leave -o out", "a credential plugin answers in JSON, not in %s", a.output)
	case f.wait <= 0:
		return failure.New(failure.Usage, "write it like 15s", "--wait %s is not a time to wait", f.wait)
	}
	if f.commonName == "" {
		if err := f.takeName(a.kubeOptions(f.conn)); err != nil {
			return err
		}
	}
	f.want = kubeconfig.Want{CommonName: f.commonName, Groups: f.groups, Key: string(kind), Lifetime: lifetime}
	if f.via == viaCSR {
		identity, err := a.clusterOf(f)
		f.want.Source = []string{viaCSR, identity}
		return orByCA(err)
	}
	abs, err := filepath.Abs(a.dir)
	f.want.Source = []string{viaCA, abs}
	return err
}

// largeKubeconfig is from which size on it is remembered what a kubeconfig says,
// maxKubeconfig up to which.
const (
	largeKubeconfig = 32 << 10
	maxKubeconfig   = 64 << 20
)

// clusterOf says which cluster the kubeconfigs point to.
func (a *app) clusterOf(f *credentialFlags) (string, error) {
	o := a.kubeOptions(f.conn)
	locate := func() (identity, caFile string, err error) {
		target, err := kubeclient.Locate(o)
		if err != nil {
			return "", "", err
		}
		return target.Identity(), target.CAFile(), nil
	}
	cache := &kubeconfig.CredentialCache{Dir: f.cache}
	paths := o.Paths
	if o.File != "" {
		paths = []string{o.File}
	}
	question, data := o.Context, []byte(nil)
	for _, path := range paths {
		abs, err := filepath.Abs(path)
		if err != nil {
			return "", err
		}
		held, _ := store.Read(path, maxKubeconfig) // otherwise Locate says what is wrong with it
		question, data = question+"\x00"+abs, append(append(data, held...), 0)
	}
	if len(data) < largeKubeconfig || f.explain {
		cache.Dir = ""
	}
	return cache.Remember(question, data, locate)
}

// orByCA adds to the hint of an error that no cluster is needed.
func orByCA(err error) error {
	if err == nil {
		return nil
	}
	return failure.Wrap(err, failure.KindOf(err), failure.HintOf(err)+"; or have the CA in the PKI directory sign, with --via ca", "there is no cluster to ask")
}

// takeName takes name and groups from the kubeconfig's certificate.
func (f *credentialFlags) takeName(o kubeclient.Options) error {
	target, err := kubeclient.Locate(o)
	if err != nil {
		return err
	}
	cert, err := target.Certificate()
	if err != nil {
		return failure.Wrap(err, failure.Usage, "name the user with --cn", "--cn is missing")
	}
	f.commonName = cert.Subject.CommonName
	if f.groups == nil {
		f.groups = cert.Subject.Organization
	}
	return nil
}

// minter returns what makes the credential where there is none, and what checks
// before whether it can be had.
func (a *app) minter(f credentialFlags) (mint kubeconfig.Mint, check func() error) {
	if f.via == viaCA {
		o := a.caCredential(f)
		return csr.MintByCA(o, a.warn), func() error {
			_, err := o.Request()
			return err
		}
	}
	request := a.requested(f)
	request.Connect = func() (*kubeclient.Client, error) {
		// For the programs that client-go may run.
		if err := os.Setenv(underWay, strings.TrimSpace(a.env(underWay)+" "+f.want.ID())); err != nil {
			return nil, err
		}
		return a.connect(f.conn)
	}
	return request.Mint, func() error {
		if slices.Contains(strings.Fields(a.env(underWay)), f.want.ID()) {
			return failure.New(failure.Usage, "name with --kubeconfig one whose user logs in by other means",
				"the kubeconfig gets the credential of %q from this very command, which needs another to ask for it", f.commonName)
		}
		return request.Check()
	}
}

func (a *app) requested(f credentialFlags) csr.CredentialRequest {
	return csr.CredentialRequest{
		RequestOptions: csr.RequestOptions{CommonName: f.commonName, Groups: f.groups, Key: f.key},
		Lifetime:       f.want.Lifetime, Allow: f.allow, Approve: f.approve, Now: a.clock(),
	}
}

func (a *app) caCredential(f credentialFlags) ca.IssueOptions {
	return ca.IssueOptions{
		Dir: a.dir, CommonName: f.commonName, Groups: f.groups, Profile: ca.ProfileClient, Key: f.key, Validity: f.lifetime,
		Now: a.now(), Passphrase: f.passphrase, OpenSSLPass: a.opensslPass(a.passphraseFile, envVariable),
	}
}

// clock returns the time that goes on from when the command began: it may wait.
func (a *app) clock() func() time.Time {
	begun := time.Now()
	return func() time.Time { return a.now().Add(time.Since(begun)) }
}

// cacheDir returns the directory of the credentials, none where the user has no
// cache directory.
func (a *app) cacheDir(named string) string {
	if named != "" {
		return named
	}
	dir, err := os.UserCacheDir()
	if err != nil {
		a.warn(fmt.Sprintf("the credential is not kept: %v; name a directory with --cache", err))
		return ""
	}
	return filepath.Join(dir, "pkictl", "credentials")
}

// fileHash tells contents of a file apart; it is empty where it cannot be read.
func fileHash(path string) string {
	data, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}
