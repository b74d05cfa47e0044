package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"text/tabwriter"

	"github.com/pkictl/pkictl/cluster"
	"github.com/pkictl/pkictl/internal/failure"
)

// checkRestart asks before anything is renewed whether it may restart what
// depends on it.
func (a *app) checkRestart(ctx context.Context, f clusterRenewFlags) error {
	switch {
	case f.restart == "" && f.yes:
		return failure.New(failure.Usage, "add --restart "+staticPods+", or leave --yes out", "--yes is for the question before a restart")
	case f.restart == "":
		return nil
	case f.restart != staticPods:
		return failure.New(failure.Usage, "write --restart "+staticPods+"; other components are restarted by what runs them", "--restart %q is not known", f.restart)
	}
	manifests := filepath.Join(f.Dir, "manifests")
	if info, err := os.Stat(manifests); err != nil || !info.IsDir() {
		return failure.New(failure.Failed, "run it on a node that kubeadm has set up, with --dir /etc/kubernetes",
			"there is no directory %q, so that no static pod can be restarted", manifests)
	}
	names := f.Names
	if names == nil {
		names = cluster.RenewableNames()
	}
	pods := cluster.StaticPods(cluster.RestartOrder(names))
	if f.yes || f.DryRun || len(pods) == 0 {
		return nil
	}
	return a.ask(ctx, func(w io.Writer) {
		fmt.Fprintf(w, "After the renewal these restart, one after the other: %s.\n", strings.Join(pods, ", "))
	}, "Renew, and restart static pods of "+printable(f.Dir)+"?")
}

// restartStaticPods restarts what depends on what was renewed.
func (a *app) restartStaticPods(ctx context.Context, node cluster.NodeRenewal) (*cluster.RestartResult, error) {
	pods := cluster.StaticPods(node.Restarts)
	if len(pods) == 0 {
		return nil, nil
	}
	return cluster.RestartStaticPods(ctx, cluster.RestartOptions{
		Dir: node.Dir, Components: pods, Now: a.now(),
		Progress: a.restartStep,
	})
}

func (a *app) restartStep(step string) {
	if !a.quiet {
		fmt.Fprintf(a.err, "  %s\n", printable(step))
	}
}

// putManifestsBack completes an earlier restart that was killed, or says that
// there is one: components whose manifests lie aside do not run.
func (a *app) putManifestsBack(ctx context.Context, f clusterRenewFlags) error {
	manifests := filepath.Join(f.Dir, "manifests")
	if f.restart == "" || f.DryRun {
		paths, running, err := cluster.InterruptedRestarts(manifests)
		if len(paths) > 0 && !running {
			a.warn("manifests lie aside since a restart that was interrupted, so that their components do not run: " + strings.Join(paths, ", ") +
				"; put them back, or have --restart " + staticPods + " do it")
		}
		return err
	}
	names, err := cluster.PutManifestsBack(ctx, manifests, a.restartStep)
	for _, name := range names {
		a.warn(fmt.Sprintf("manifest %q lay aside since a restart that was interrupted; it is back", name))
	}
	return err
}

func showRestarted(w io.Writer, result *cluster.RestartResult) {
	fmt.Fprintln(w)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, c := range result.Components {
		fmt.Fprintf(t, "%s\t%s\t%s\n", printable(c.Component), c.State, printable(c.Note))
	}
	_ = t.Flush() // w is a buffer
}

// showRestarts says what to restart, once where it is the same for all nodes.
func showRestarts(w io.Writer, result *cluster.RenewResult) {
	first, same := result.Nodes[0], true
	for _, node := range result.Nodes {
		same = same && reflect.DeepEqual(node.Restarts, first.Restarts)
	}
	switch {
	case len(result.Nodes) == 1:
		showNodeRestarts(w, "", first.Restarts)
	case same:
		showNodeRestarts(w, " on each node, one after the other", first.Restarts)
	default:
		for _, node := range result.Nodes {
			showNodeRestarts(w, " on "+printable(node.Node), node.Restarts)
		}
	}
}

func showNodeRestarts(w io.Writer, where string, restarts []cluster.Restart) {
	var components, others []cluster.Restart
	for _, r := range restarts {
		if r.Component == "" {
			others = append(others, r)
		} else {
			components = append(components, r)
		}
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	if components != nil {
		fmt.Fprintf(t, "\nRestart%s, in this order:\n", where)
	}
	how := map[string][]string{}
	var order []string
	for i, r := range components {
		need := "to be sure"
		if r.Must {
			need = "needed"
		}
		fmt.Fprintf(t, "  %d. %s\t%s\t%s\n", i+1, r.Component, need, r.Why)
		if how[r.How] == nil {
			order = append(order, r.How)
		}
		how[r.How] = append(how[r.How], r.Component)
	}
	_ = t.Flush() // w is a buffer
	for _, text := range order {
		if cluster.StaticPods(components) == nil || text == "" || len(how[text]) == 1 {
			fmt.Fprintf(w, "How, for %s: %s\n", strings.Join(how[text], ", "), text)
			continue
		}
		fmt.Fprintf(w, "How, where they are static pods: %s\n", text)
	}
	for _, r := range others {
		fmt.Fprintf(w, "No restart for %s: %s%s\n", strings.Join(r.Files, ", "), r.Why, strings.TrimSuffix("; "+r.How, "; "))
	}
}
