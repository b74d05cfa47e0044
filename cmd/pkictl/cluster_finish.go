package main

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/pkictl/pkictl/cluster"
	"github.com/pkictl/pkictl/internal/failure"
)

func (a *app) clusterFinishCmd() *cobra.Command {
	var f clusterInitFlags
	var certs string
	cmd := &cobra.Command{
		Use:   "finish --certs DIR",
		Short: "Bring in what CAs elsewhere have signed",
		Long: `Put certificates that CAs elsewhere have signed beside the keys that cluster
init --csr-only has made, or kubeadm certs generate-csr, and complete the
kubeconfigs with them.

The directory with the certificates, and those below it, may hold files of any
name, in PEM or DER form, one certificate in each or several. A certificate
belongs to the key that it certifies; where there are several for one key, the
newest that is right is taken. The certificates of the CAs must be there, too,
unless they are in their places. Everything else in there is passed over.

A CA that is in its place is the only one that is taken. Put those that are
known there before: pki/ca.crt, pki/front-proxy-ca.crt, pki/etcd/ca.crt; for
requests of the CAs the root above each, as pki/ca-chain.crt and so on. Of a CA
that is taken from DIR the fingerprint is said: compare it.

Each certificate is held against what cluster init would have made: subject,
names, usages, signer, time. Where one is missing or wrong that is said, field
by field, nothing is written, and the exit code is 3. Otherwise all of a node's
certificates are written as one step, and recorded in the inventory; what CAs
that are here have to sign is made then.

The requests stay. Sign them again before the certificates end, and run the same
command: those that end later replace those that are there. An API server and
etcd want CAs of their own each: one CA in two places is refused.`,
		Example: `  pkictl init-ca --dir root --cn Root
  pkictl cluster init --node cp-1 --advertise-address 10.0.0.11 --csr-only=cas
  mkdir signed; cp root/ca.crt signed/root.crt
  for ca in ca front-proxy-ca etcd/ca; do openssl x509 -req -in kubernetes/pki/$ca.csr -CA root/ca.crt -CAkey root/ca.key -copy_extensions copyall -days 1825 -out signed/${ca%/ca}.crt; done
  pkictl cluster finish --certs signed`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.clusterFinish(cmd, f, certs) },
	}
	cmd.Flags().StringVar(&certs, "certs", "", "`DIRECTORY` with the signed certificates, and those of the CAs")
	f.addSettings(cmd)
	f.Passphrase = a.addPassphrase(cmd)
	addDryRun(cmd, &f.DryRun)
	addExplain(cmd, &f.explain)
	return cmd
}

func (a *app) clusterFinish(cmd *cobra.Command, f clusterInitFlags, certs string) error {
	if certs == "" {
		return failure.New(failure.Usage, "name the directory with the signed certificates with --certs DIR", "--certs is missing")
	}
	warnings, err := f.settings(a.clusterDir)
	if err != nil {
		return err
	}
	o := cluster.FinishOptions{
		Dir: a.clusterDir, Certs: certs, Settings: f.Settings, FromFiles: f.FromFiles, DryRun: f.DryRun, Now: a.now(), Waiting: a.waitingFor, Passphrase: f.Passphrase,
	}
	if f.explain {
		a.warn(warnings...)
		return a.explain(cluster.ExplainFinish(o))
	}
	steps := a.newSteps()
	steps.begin("checking certificates")
	result, err := cluster.Finish(cmd.Context(), o)
	steps.clear()
	if err != nil {
		return err
	}
	a.warn(append(warnings, result.Warnings...)...)
	value := struct {
		typeMeta
		*cluster.InitResult
		DryRun bool `json:"dryRun,omitempty"`
	}{kind("ClusterFinish"), result, f.DryRun}
	if err := a.print(value, func(w io.Writer) { showClusterFinish(w, f.DryRun, result) }); err != nil {
		return err
	}
	if result.Differences != nil {
		return errFound
	}
	return nil
}

func showClusterFinish(w io.Writer, dryRun bool, result *cluster.InitResult) {
	showEntries(w, dryRun || result.Differences != nil, result)
	if result.Differences == nil {
		return
	}
	fmt.Fprintf(w, "\nNothing was written, for this is missing or not as it should be:\n")
	for _, d := range result.Differences {
		fmt.Fprintf(w, "  %s\n", printable(d.String()))
	}
}

// showEntries shows a line for each entry of each node.
func showEntries(w io.Writer, dryRun bool, result *cluster.InitResult) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, node := range result.Nodes {
		for _, entry := range node.Entries {
			end := ""
			if entry.NotAfter != nil {
				end = "ends " + utc(*entry.NotAfter)
			}
			if entry.FingerprintSHA256 != "" {
				end += ", SHA-256 " + entry.FingerprintSHA256
			}
			fmt.Fprintf(t, "%s\t%s\t%s\n", printable(strings.TrimSuffix(entry.Files[0], ".crt")), entry.State.Words(dryRun), end)
		}
	}
	_ = t.Flush() // w is a buffer
}

// showRequests says which CA has to sign which request, and how.
func (a *app) showRequests(w io.Writer, f clusterInitFlags, result *cluster.InitResult) {
	for _, line := range result.RequestLines(f.InitOptions) {
		fmt.Fprintln(w, printable(line))
	}
}
