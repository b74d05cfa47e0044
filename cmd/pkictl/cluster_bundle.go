package main

import (
	"context"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/pkictl/pkictl/ca"
	"github.com/pkictl/pkictl/cluster"
	"github.com/pkictl/pkictl/internal/failure"
)

// bundleEnv has the passphrase of bundles.
const bundleEnv = "PKICTL_BUNDLE_PASSPHRASE"

type bundleFlags struct {
	cluster.BundleOptions
	explain bool
}

func (a *app) clusterBundleCmd() *cobra.Command {
	var f bundleFlags
	cmd := &cobra.Command{
		Use:   "bundle",
		Short: "Take the CAs and the service account keys to another node, encrypted",
		Long: `Write what all nodes of a control plane have in common into one encrypted file:
the three CAs with their keys, those of the service accounts, and cluster.yaml.
Nothing of one node is in it: each makes its own certificates, after cluster
restore has put these files in their places. It is what kubeadm's upload-certs
puts into the cluster for two hours.

Whoever opens the file can make themselves administrator of the cluster. It is
encrypted by age (age-encryption.org/v1) to the keys of --recipient and
--recipients-file, or with a passphrase: from --passphrase-file, from the
environment variable ` + bundleEnv + `, or typed twice. It is never
written unencrypted. A key is one of age-keygen (age1...), or an SSH key of kind
ed25519 or rsa.

All is checked before: keys and certificates fit, and no CA has ended. A CA key
that is not there, as of an external CA, is left out with a warning. Encrypted
keys, and references to PKCS#11 tokens, go as they are. With a directory for
each of several nodes, all must have the same.

The file is a tar archive inside of age, so that anyone who may can open it with

  age -d -i KEY FILE | tar -x -f -`,
		Example: `  pkictl cluster init --node cp-1 --advertise-address 10.0.0.11
  pkictl cluster bundle --recipient age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p --out to-cp-2.age
  PKICTL_BUNDLE_PASSPHRASE='three words or more' pkictl cluster bundle
  PKICTL_BUNDLE_PASSPHRASE='three words or more' pkictl cluster restore kubernetes-bundle.age --dir cp-2
  pkictl cluster init --dir cp-2 --node cp-2 --advertise-address 10.0.0.12`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.clusterBundle(cmd, f) },
	}
	flags := cmd.Flags()
	flags.StringArrayVar(&f.Keys, "recipient", nil, "public `KEY` that can open it: age1..., or an SSH key; may be given several times")
	flags.StringArrayVar(&f.Files, "recipients-file", nil, "`FILE` with such keys, one in a line; may be given several times")
	flags.StringVar(&a.passphraseFile, fileFlag, "", "`FILE` whose first line is the passphrase that opens it; or set "+bundleEnv)
	flags.StringVar(&f.Out, "out", "", "`FILE` to write, - for standard output (default NAME-bundle.age, with the name of the cluster)")
	flags.BoolVar(&f.Force, "force", false, "replace a bundle that is there")
	addDryRun(cmd, &f.DryRun)
	addExplainBundle(cmd, &f.explain)
	return cmd
}

func addExplainBundle(cmd *cobra.Command, flag *bool) {
	cmd.Flags().BoolVar(flag, "explain", false, "print the tar and age commands that give the same result, and do nothing else")
}

func (a *app) clusterBundle(cmd *cobra.Command, f bundleFlags) error {
	f.Dir, f.Now, f.Writer = a.clusterDir, a.now(), a.out
	hasKeys := len(f.Keys)+len(f.Files) > 0
	if hasKeys && a.passphraseFile != "" {
		return failure.New(failure.Usage, "leave one of them out", "a bundle is encrypted to keys or with a passphrase, not to both")
	}
	if f.explain {
		return a.explain(cluster.ExplainBundle(f.BundleOptions))
	}
	if f.Out == "-" && !f.DryRun && isTerminal(a.out) {
		return failure.New(failure.Usage, "name a file with --out, or send it on with > or |", "a bundle is binary and not for a terminal")
	}
	f.Waiting = func() { a.waitingFor(f.Dir) }
	f.Passphrase = a.bundlePassphrase(cmd.Context(), true)
	result, err := cluster.MakeBundle(cmd.Context(), f.BundleOptions)
	if err != nil {
		return err
	}
	a.warn(result.Warnings...)
	b := a
	if f.Out == "-" && !f.DryRun {
		other := *a
		other.out, b = a.err, &other
	}
	return b.printBundle(result, f.DryRun)
}

// bundlePassphrase returns how the passphrase of a bundle is learned.
func (a *app) bundlePassphrase(ctx context.Context, isNew bool) ca.Passphrase {
	return func(name string) ([]byte, error) {
		if passphrase, err := a.givenPassphrase(a.passphraseFile, bundleEnv); passphrase != nil || err != nil {
			return passphrase, err
		}
		return a.askPassphrase(ctx, name, isNew)
	}
}

// bundledFile is a file of a bundle in a result.
type bundledFile struct {
	Name              string     `json:"name"`
	Kind              string     `json:"kind"`
	FingerprintSHA256 string     `json:"fingerprintSHA256,omitempty"`
	PublicKeySHA256   string     `json:"publicKeySHA256,omitempty"` // in kubeadm's form
	NotAfter          *time.Time `json:"notAfter,omitempty"`
	Note              string     `json:"note,omitempty"`
	State             string     `json:"state,omitempty"` // of a restore: written or kept
}

func bundledFiles(files []cluster.BundleFile) []bundledFile {
	list := make([]bundledFile, len(files))
	for i, f := range files {
		list[i] = bundledFile{Name: f.Name, Kind: string(f.Kind), Note: f.Note}
		switch {
		case !f.NotAfter.IsZero():
			list[i].FingerprintSHA256, list[i].NotAfter = f.Fingerprint, &f.NotAfter
		default:
			list[i].PublicKeySHA256 = f.Fingerprint
		}
	}
	return list
}

type bundleResult struct {
	typeMeta
	Cluster    string        `json:"cluster"`
	File       string        `json:"file"`
	Recipients []string      `json:"recipients,omitempty"`
	Passphrase bool          `json:"passphrase,omitempty"`
	Files      []bundledFile `json:"files"`
	DryRun     bool          `json:"dryRun,omitempty"`
}

func (a *app) printBundle(r *cluster.BundleResult, dryRun bool) error {
	result := bundleResult{
		typeMeta: kind("ClusterBundle"), Cluster: r.Name, File: r.Path, Recipients: r.Recipients,
		Passphrase: len(r.Recipients) == 0, Files: bundledFiles(r.Files), DryRun: dryRun,
	}
	return a.print(result, func(w io.Writer) {
		where := r.Path
		if where == "-" {
			where = "standard output"
		}
		if dryRun {
			fmt.Fprintf(w, "Would write %s (dry run: nothing was written)\n", printable(where))
		} else {
			fmt.Fprintf(w, "Wrote %s\n", printable(where))
		}
		opens := r.Recipients
		if len(opens) == 0 {
			opens = []string{"who knows the passphrase"}
		}
		for i, who := range opens {
			label := ""
			if i == 0 {
				label = "opened by"
			}
			fmt.Fprintf(w, "  %-9s  %s\n", label, printable(who))
		}
		printBundled(w, result.Files)
		if !dryRun {
			next := printable(where)
			if r.Path == "-" {
				next = "FILE"
			}
			fmt.Fprintf(w, "next, on another node: %s\n", a.asCalled("pkictl cluster restore "+next))
		}
	})
}

// printBundled lists the files of a bundle.
func printBundled(w io.Writer, files []bundledFile) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, f := range files {
		about := f.Note
		if f.NotAfter != nil {
			about = "ends " + f.NotAfter.UTC().Format(time.DateOnly) + ", SHA-256 " + f.FingerprintSHA256
		}
		line := "  " + f.Name
		if f.State != "" {
			line += "\t" + f.State
		}
		if about != "" {
			line += "\t" + about
		}
		fmt.Fprintln(t, line)
	}
	_ = t.Flush() // w is a buffer
}
