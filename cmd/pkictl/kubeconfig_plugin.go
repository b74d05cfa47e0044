package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"

	"github.com/pkictl/pkictl/ca"
	"github.com/pkictl/pkictl/internal/failure"
	"github.com/pkictl/pkictl/kubeconfig"
)

// pluginFlags say which certificates pkictl credential is to hand out.
type pluginFlags struct {
	exec     bool
	via      string
	groups   []string
	lifetime string // --for
	approve  bool
	cache    string

	line []string // the command line
}

// pluginNames are the names of the flags but --exec.
var pluginNames = []string{"via", "group", "for", "approve", "cache", fileFlag}

func (p *pluginFlags) add(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.BoolVar(&p.exec, "exec", false, "have kubectl get short-lived certificates from pkictl credential")
	flags.StringVar(&p.via, "via", "", "`WAY` to a certificate: ca (the CA in the PKI directory), or csr (the cluster's signer)")
	flags.StringArrayVar(&p.groups, "group", nil, "`GROUP` of the user; may be given several times")
	flags.StringVar(&p.lifetime, "for", "1h", "`TIME` for which each certificate is valid")
	flags.BoolVar(&p.approve, "approve", false, "with --via csr: have it approve its requests")
	flags.StringVar(&p.cache, "cache", "", "`DIRECTORY` of the certificates (default as pkictl credential has it)")
	complete(cmd, "via", viaCA, viaCSR)
}

func (p *pluginFlags) check(cmd *cobra.Command) error {
	if !p.exec {
		for _, name := range pluginNames {
			if cmd.Flags().Changed(name) {
				return failure.New(failure.Usage, "add --exec, or leave it out", "--%s is for --exec", name)
			}
		}
		return nil
	}
	if _, err := ca.ParseValidity(p.lifetime); err != nil {
		return err
	}
	if p.via != "" && p.via != viaCA && p.via != viaCSR {
		return failure.New(failure.Usage, "choose "+viaCA+" or "+viaCSR, "unknown way %q to a certificate", p.via)
	}
	return nil
}

// planPlugin checks what is wanted, and returns the entry that has it handed
// out.
func (a *app) planPlugin(f *createFlags) (kubeconfig.ExecEntry, error) {
	p := &f.plugin
	entry := kubeconfig.ExecEntry{InstallHint: "pkictl hands out the certificates of this user: install it, and have it in PATH"}
	if p.via == "" {
		if p.via = viaCSR; !noCA(a.dir) {
			p.via = viaCA
		}
	}
	wanted := ca.IssueOptions{Dir: a.dir, CommonName: f.name, Groups: p.groups, Validity: p.lifetime, Now: a.now()}
	if _, err := wanted.Request(); err != nil {
		return entry, err
	}
	if slices.Contains(p.groups, ca.GroupMasters) {
		if p.via == viaCSR { // CertificateSubjectRestriction, in plugin/pkg/admission/certificates
			return entry, failure.New(failure.Refused, "use a group with a ClusterRoleBinding to cluster-admin, or --via ca",
				"an API server refuses certificate signing requests for the group %s", ca.GroupMasters)
		}
		a.warn("the group " + ca.GroupMasters + " passes every authorizer: a group with a ClusterRoleBinding to cluster-admin can be taken back")
	}
	args := []string{"credential", "--cn", f.name}
	for _, group := range p.groups {
		args = append(args, "--group", group)
	}
	args = append(args, "--for", p.lifetime, "--via", p.via)
	where, err := a.pluginSource(f)
	if err != nil {
		return entry, err
	}
	args = append(args, where...)
	if p.cache != "" {
		cache, err := filepath.Abs(p.cache)
		if err != nil {
			return entry, err
		}
		args = append(args, "--cache", cache)
	}
	if f.entry.User = f.user; f.user == "" {
		f.entry.User = f.name
	}
	entry.Entry, entry.Args = f.entry, args
	if entry.Command, err = ownCommand(); err != nil {
		return entry, err
	}
	p.line = append([]string{entry.Command}, args...)
	return entry, nil
}

// pluginSource are the arguments that say where the certificate comes from.
// The plugin runs in any directory, so paths are absolute.
func (a *app) pluginSource(f *createFlags) ([]string, error) {
	if f.plugin.via == viaCA {
		if f.plugin.approve {
			return nil, failure.New(failure.Usage, "leave --approve out, or use --via csr", "--approve is for certificate signing requests")
		}
		if _, err := ca.Open(a.dir); err != nil {
			return nil, err
		}
		dir, passphrase, err := absolute(a.dir, a.passphraseFile)
		if a.passphraseFile != "" {
			return []string{"--dir", dir, "--" + fileFlag, passphrase}, err
		}
		if key, keyErr := ca.KeyBeside(ca.KeyPath(a.dir)); keyErr == nil && key.Encrypted {
			a.warn("the key of the CA is encrypted, so kubectl needs a terminal to ask for the passphrase, or " + envVariable + "; or name a file with --" + fileFlag)
		}
		return []string{"--dir", dir}, err
	}
	if a.passphraseFile != "" {
		return nil, failure.New(failure.Usage, "leave it out, or use --via ca", "--%s is for the key of a CA, and goes with --via ca", fileFlag)
	}
	client, err := a.connect(f.conn)
	if err != nil {
		return nil, orByCA(err)
	}
	path, err := a.oneKubeconfig(f.conn)
	if err != nil {
		return nil, err
	}
	args := []string{"--kubeconfig", path, "--context", client.Context}
	if f.plugin.approve {
		args = append(args, "--approve")
	}
	return args, nil
}

// oneKubeconfig returns the absolute path of the kubeconfig that is used.
func (a *app) oneKubeconfig(c *connection) (string, error) {
	if c.file != "" {
		return filepath.Abs(c.file)
	}
	var there []string
	for _, path := range a.kubeconfigPaths() {
		if _, err := os.Stat(path); err == nil {
			there = append(there, path)
		}
	}
	if len(there) != 1 {
		return "", failure.New(failure.Usage, "name one with --kubeconfig", "there are %d kubeconfigs, and the plugin takes one", len(there))
	}
	return filepath.Abs(there[0])
}

// ownCommand returns how this program is run again: by its name where PATH has
// it, or else by its path.
func ownCommand() (string, error) {
	path, err := os.Executable()
	if err != nil {
		return "", failure.Wrap(err, failure.Failed, "", "cannot tell where this program is")
	}
	name := filepath.Base(path)
	if found, err := exec.LookPath(name); err == nil && sameFile(found, path) {
		return name, nil
	}
	return path, nil
}

func sameFile(a, b string) bool {
	infoA, errA := os.Stat(a)
	infoB, errB := os.Stat(b)
	return errA == nil && errB == nil && os.SameFile(infoA, infoB)
}
