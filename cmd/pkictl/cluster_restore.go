package main

import (
	"fmt"
	"io"
	"slices"

	"github.com/spf13/cobra"

	"github.com/pkictl/pkictl/cluster"
	"github.com/pkictl/pkictl/internal/failure"
	"github.com/pkictl/pkictl/internal/shell"
)

type restoreFlags struct {
	cluster.RestoreOptions
	explain bool
}

func (a *app) clusterRestoreCmd() *cobra.Command {
	var f restoreFlags
	cmd := &cobra.Command{
		Use:   "restore FILE",
		Short: "Put the CAs and service account keys of a bundle into a cluster directory",
		Long: `Open a file of cluster bundle and put the CAs, the keys of the service accounts
and cluster.yaml in their places below --dir, which is made if it is not there.
All of them are written as one step, or none. After that, cluster init makes the
certificates of the new node; with --dir /etc/kubernetes, kubeadm join
--control-plane does so, too, and needs no --certificate-key.

The file is opened with the secret keys in the files of --identity, of age or
SSH, or with its passphrase: from --passphrase-file, from the environment
variable ` + bundleEnv + `, or typed.

Files that are there and are the same stay as they are, so that it can be run
again. Another CA or another key in their place is refused, and so is a bundle
in which anything does not fit, or does not belong.

Everybody who knows a public key can encrypt a file to it: compare the printed
fingerprint of pki/ca.crt with that of the cluster.`,
		Example: `  pkictl cluster init --node cp-1 --advertise-address 10.0.0.11
  PKICTL_BUNDLE_PASSPHRASE='three words or more' pkictl cluster bundle
  PKICTL_BUNDLE_PASSPHRASE='three words or more' pkictl cluster restore kubernetes-bundle.age --dir cp-2
  pkictl cluster init --dir cp-2 --node cp-2 --advertise-address 10.0.0.12`,
		Args: oneFile("a bundle, or - for standard input"),
		RunE: func(cmd *cobra.Command, args []string) error { return a.clusterRestore(cmd, args[0], f) },
	}
	flags := cmd.Flags()
	flags.StringArrayVar(&f.Files, "identity", nil, "`FILE` with a secret key that opens it; may be given several times")
	flags.StringVar(&a.passphraseFile, fileFlag, "", "`FILE` whose first line is the passphrase of the bundle, or of an SSH key; or set "+bundleEnv)
	addDryRun(cmd, &f.DryRun)
	addExplainBundle(cmd, &f.explain)
	return cmd
}

// oneFile is for commands that take a file and no more.
func oneFile(what string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) == 1 && args[0] != "" {
			return nil
		}
		return failure.New(failure.Usage, "see: "+cmd.CommandPath()+" --help", "%s takes one FILE: %s", cmd.CommandPath(), what)
	}
}

func (a *app) clusterRestore(cmd *cobra.Command, file string, f restoreFlags) error {
	f.File, f.Reader, f.Dir, f.Now = file, a.in, a.clusterDir, a.now()
	if f.explain {
		return a.explain(cluster.ExplainRestore(f.RestoreOptions), nil)
	}
	if file == "-" && isTerminal(a.in) {
		return failure.New(failure.Usage, "name a file, or send it with < or |", "a bundle is not typed")
	}
	f.Waiting = func() { a.waitingFor(f.Dir) }
	f.Passphrase = a.bundlePassphrase(cmd.Context(), false)
	result, err := cluster.Restore(cmd.Context(), f.RestoreOptions)
	if err != nil {
		return err
	}
	a.warn(result.Warnings...)
	return a.printRestore(result, f.RestoreOptions)
}

type restoreResult struct {
	typeMeta
	Cluster   string        `json:"cluster"`
	Directory string        `json:"directory"`
	Files     []bundledFile `json:"files"`
	DryRun    bool          `json:"dryRun,omitempty"`
}

func (a *app) printRestore(r *cluster.RestoreResult, o cluster.RestoreOptions) error {
	result := restoreResult{
		typeMeta: kind("ClusterRestore"), Cluster: r.Name, Directory: o.Dir, Files: bundledFiles(r.Files), DryRun: o.DryRun,
	}
	for i, f := range result.Files {
		result.Files[i].State = "written"
		switch {
		case slices.Contains(r.Kept, f.Name):
			result.Files[i].State = "kept"
		case o.DryRun:
			result.Files[i].State = "to write"
		}
	}
	return a.print(result, func(w io.Writer) {
		dir := printable(o.Dir)
		switch {
		case len(r.Written) == 0:
			fmt.Fprintf(w, "Nothing to restore: %s has all of it\n", dir)
		case o.DryRun:
			fmt.Fprintf(w, "Would restore %s into %s (dry run: nothing was written)\n", numberOfFiles(len(r.Written)), dir)
		default:
			fmt.Fprintf(w, "Restored %s into %s\n", numberOfFiles(len(r.Written)), dir)
		}
		printBundled(w, result.Files)
		if !o.DryRun {
			next := "pkictl cluster init --node NAME --advertise-address IP"
			if o.Dir != cluster.DefaultDir {
				next += " --dir " + shell.Quote(o.Dir)
			}
			fmt.Fprintf(w, "next, for the certificates of this node: %s\n", a.asCalled(next))
		}
	})
}

func numberOfFiles(n int) string {
	if n == 1 {
		return "1 file"
	}
	return fmt.Sprintf("%d files", n)
}
