package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/pkictl/pkictl/ca"
	"github.com/pkictl/pkictl/cluster"
	"github.com/pkictl/pkictl/internal/failure"
)

// clusterRenewFlags are the flags of cluster renew as they are written.
type clusterRenewFlags struct {
	cluster.RenewOptions
	expiring string
	restart  string
	yes      bool
	explain  bool
}

// staticPods is the value of --restart.
const staticPods = "static-pods"

func (a *app) clusterRenewCmd() *cobra.Command {
	var f clusterRenewFlags
	cmd := &cobra.Command{
		Use:   "renew [NAME]...",
		Short: "Make new certificates in place of those of a control plane",
		Long: `Make new certificates, with the subjects, names and usages of the old ones and
with new keys, in place of all that a control plane has, or of those named:
the certificates in pki, and those in the kubeconfigs. In a kubeconfig
nothing else changes. Files keep owner and mode. CAs and the keys of service
accounts stay; kubelet.conf does unless it is asked for, as kubelets renew
their own.

Each is valid for as long as the old one was. All of a cluster directory
changes in one step: whatever happens, there is all of the old, or all of the
new. The old certificates work until they end. What the CAs on this machine
cannot sign, such as where the key of one is kept elsewhere, is said, and stays.

A name is that of a file below pki without its suffix, as in etcd/server, or
that of a kubeconfig; kubeadm's names, such as etcd-server, will do. The
directory may be one that kubeadm made, like /etc/kubernetes; or one above the
directories of several nodes, which are all renewed unless --node names one.

Some components read new files by themselves, others when they start: what to
restart, and in which order, is said at the end. On a node that kubeadm has set
up, --restart static-pods does it: one after the other, each manifest is moved
out of the kubelet's directory (manifests in the cluster directory) and back,
and the next one follows when the component is healthy.`,
		Example: `  pkictl cluster init --node cp-1 --advertise-address 10.0.0.11
  pkictl cluster renew --dry-run
  pkictl cluster renew --expiring 30d
  pkictl cluster renew apiserver etcd-server admin.conf
  pkictl cluster renew --include-kubelet --validity 90d`,
		ValidArgsFunction: completeRenewable,
		RunE:              func(cmd *cobra.Command, args []string) error { return a.clusterRenew(cmd, args, f) },
	}
	flags := cmd.Flags()
	flags.StringVar(&f.Node, "node", "", "renew the directory of the node `NAME` alone, of several")
	flags.BoolVar(&f.IncludeKubelet, "include-kubelet", false, "renew kubelet.conf, too")
	flags.StringVar(&f.expiring, "expiring", "", "renew those that end within this `TIME`, as in 30d, or have ended")
	flags.StringVar(&f.Validity, "validity", "", "`TIME` for which they are valid, as in 90d or 1y (default as long as before)")
	flags.StringVar(&f.Key, "key", "", "`KIND` of the new keys (default as before): "+clusterKeyKinds())
	flags.BoolVar(&f.ReuseKey, "reuse-key", false, "keep the keys")
	flags.StringVar(&f.restart, "restart", "", "then restart these `COMPONENTS` of this node: "+staticPods)
	flags.BoolVarP(&f.yes, "yes", "y", false, "restart without a question")
	f.Passphrase = a.addPassphrase(cmd)
	addDryRun(cmd, &f.DryRun)
	addExplain(cmd, &f.explain)
	complete(cmd, "key", strings.Split(clusterKeyKinds(), ", ")...)
	complete(cmd, "restart", staticPods)
	return cmd
}

func completeRenewable(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	return cluster.RenewableNames(), cobra.ShellCompDirectiveNoFileComp
}

// check checks arguments and flags.
func (f *clusterRenewFlags) check(args []string) error {
	for _, arg := range args {
		name, err := cluster.RenewableName(arg)
		if err != nil {
			return err
		}
		f.Names = append(f.Names, name)
	}
	if f.ReuseKey && f.Key != "" {
		return failure.New(failure.Usage, "use one of them", "--reuse-key and --key exclude each other")
	}
	var err error
	if f.expiring != "" {
		f.Within, err = ca.ParseValidity(f.expiring)
	}
	return err
}

func (a *app) clusterRenew(cmd *cobra.Command, args []string, f clusterRenewFlags) error {
	if err := f.check(args); err != nil {
		return err
	}
	f.Dir, f.Now, f.Waiting = a.clusterDir, a.now(), a.waitingFor
	if f.explain {
		recipe, err := cluster.ExplainRenew(cmd.Context(), f.RenewOptions, a.opensslPass(a.passphraseFile, envVariable))
		return a.explain(recipe, err)
	}
	if err := a.checkRestart(cmd.Context(), f); err != nil {
		return err
	}
	if err := a.putManifestsBack(cmd.Context(), f); err != nil {
		return err
	}
	bar := a.newProgress(0)
	f.Progress = func(done, total int) {
		bar.total = total
		bar.show(done)
	}
	result, err := cluster.Renew(cmd.Context(), f.RenewOptions)
	bar.clear()
	if err != nil {
		return err
	}
	for _, w := range result.Warnings {
		a.warn(strings.Join(w.Files, ", ") + ": " + w.Text)
	}
	return a.finishClusterRenew(cmd.Context(), f, result)
}

// clusterRenewal is the result in JSON and YAML.
type clusterRenewal struct {
	typeMeta
	*cluster.RenewResult
	DryRun bool `json:"dryRun,omitempty"`
	// Restarted is there with --restart, if something was renewed.
	Restarted *cluster.RestartResult `json:"restarted,omitempty"`
}

// finishClusterRenew restarts what is to be restarted, prints what was done, and
// returns what went wrong.
func (a *app) finishClusterRenew(ctx context.Context, f clusterRenewFlags, result *cluster.RenewResult) error {
	failures := failuresOf(result)
	if renewedIn(result) == 0 && len(failures) == 1 {
		return failures[0].err
	}
	value := clusterRenewal{typeMeta: kind("ClusterRenewal"), RenewResult: result, DryRun: f.DryRun}
	var restartErr error
	if f.restart != "" && !f.DryRun && renewedIn(result) > 0 {
		value.Restarted, restartErr = a.restartStaticPods(ctx, result.Nodes[0])
	}
	if err := a.print(value, func(w io.Writer) { a.showClusterRenewal(w, value) }); err != nil {
		return err
	}
	if renewedIn(result) == 0 && failures == nil {
		return checkElsewhere(result)
	}
	failed := 0
	for _, same := range failures {
		failed += len(same.files)
		fmt.Fprintln(a.err, same)
	}
	if failed == 0 || restartErr != nil {
		return restartErr
	}
	return failure.New(failure.KindOf(failures[0].err), retryHint(result), "%d of %d were not renewed", failed, failed+renewedIn(result))
}

// checkElsewhere refuses to call it a success if there was something to renew, and
// all of it is for others to sign: nobody would look before the end.
func checkElsewhere(result *cluster.RenewResult) error {
	for _, node := range result.Nodes {
		for _, entry := range node.Entries {
			if entry.State == cluster.RenewalSkipped && entry.Name != cluster.NameKubelet {
				return failure.New(failure.Failed, "renew it where the keys of the CAs are kept, or bring them here for the moment",
					"nothing was renewed: %s", entry.Why)
			}
		}
	}
	return nil
}

// renewalFailure is one thing that went wrong, for one file or several.
type renewalFailure struct {
	files []string
	err   error
}

// String names the files, unless what is wrong names the one itself.
func (f *renewalFailure) String() string {
	text := oneLine(strings.TrimSuffix(f.err.Error()+"; "+failure.HintOf(f.err), "; "))
	if len(f.files) == 1 && strings.Contains(f.err.Error(), strconv.Quote(f.files[0])) {
		return text
	}
	return printableAll(f.files) + ": " + text
}

// retryHint names what is left to renew, where that is in one cluster directory.
func retryHint(result *cluster.RenewResult) string {
	var names []string
	nodes := map[string]bool{}
	for _, node := range result.Nodes {
		for _, entry := range node.Entries {
			if entry.Err != nil {
				names, nodes[node.Node] = append(names, entry.Name), true
			}
		}
	}
	hint := "mend what is said of each, and renew them again"
	if len(nodes) > 1 {
		return hint
	}
	for node := range nodes {
		if len(result.Nodes) > 1 && node != "" {
			names = append(names, "--node", node)
		}
	}
	return hint + ", with: pkictl cluster renew " + strings.Join(names, " ")
}

// failuresOf tells once what is the same for several files, as when a CA has expired.
func failuresOf(result *cluster.RenewResult) []*renewalFailure {
	var list []*renewalFailure
	for _, node := range result.Nodes {
		for _, entry := range node.Entries {
			if entry.Err == nil {
				continue
			}
			isSame := func(f *renewalFailure) bool { return f.err.Error() == entry.Why }
			if i := slices.IndexFunc(list, isSame); i >= 0 {
				list[i].files = append(list[i].files, entry.Files[0])
			} else {
				list = append(list, &renewalFailure{[]string{entry.Files[0]}, entry.Err})
			}
		}
	}
	return list
}

func renewedIn(result *cluster.RenewResult) int {
	n := 0
	for _, node := range result.Nodes {
		n += len(node.Renewed())
	}
	return n
}

func (a *app) showClusterRenewal(w io.Writer, value clusterRenewal) {
	if value.DryRun {
		fmt.Fprintln(w, "Dry run: nothing was signed or written.")
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "FILE\tSTATE\tOLD END\tNEW END")
	for _, node := range value.Nodes {
		for _, entry := range node.Entries {
			fmt.Fprintf(t, "%s\t%s\t%s\t%s\n", printable(entry.Files[0]), renewalState(entry.State, value.DryRun), day(entry.OldNotAfter), day(entry.NotAfter))
		}
	}
	_ = t.Flush() // w is a buffer
	for _, node := range value.Nodes {
		for _, entry := range node.Entries {
			if entry.State == cluster.RenewalSkipped {
				fmt.Fprintf(w, "%s is not renewed: %s\n", printable(entry.Files[0]), printable(entry.Why))
			}
		}
	}
	if value.DryRun {
		return
	}
	if value.Restarted != nil {
		showRestarted(w, value.Restarted)
		return
	}
	showRestarts(w, value.RenewResult)
}

// renewalState says what happened to an entry, or would.
func renewalState(s cluster.RenewalState, dryRun bool) string {
	if dryRun && s == cluster.RenewalDone {
		return "would be renewed"
	}
	return string(s)
}

func day(t *time.Time) string {
	if t == nil {
		return "-"
	}
	return t.Format(time.DateOnly)
}
