package main

import (
	"cmp"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/pkictl/pkictl/ca"
	"github.com/pkictl/pkictl/cluster"
	"github.com/pkictl/pkictl/internal/failure"
)

// clusterCheckTimeout is short: components are near, and many are asked.
const clusterCheckTimeout = 5 * time.Second

type clusterCheckFlags struct {
	cluster.CheckOptions
	within     string
	prometheus string
	explain    bool
}

func (a *app) clusterCheckCmd() *cobra.Command {
	var f clusterCheckFlags
	cmd := &cobra.Command{
		Use:   "check [DIR]",
		Short: "Look for what is wrong, ends soon or drifts in a control plane's PKI",
		Long: `Look at every certificate, key and kubeconfig in a cluster directory, such as
/etc/kubernetes on a node or what cluster init has made:

  file, key     there, readable, key and certificate of one pair, of a kind that
                Kubernetes loads
  CN, O, EKU,   what kubeadm gives them: see pkictl cluster layout
  SAN, server
  CA, chain     signed by the right CA; CAs above it; the same CAs and keys of
                service accounts in all nodes
  begin, end    valid, and so for longer than --within
  mode, owner   as the CIS Kubernetes Benchmark (version 1.12) has it
  served        with --live: API server and etcd show what is on disk, and not
                what was there when they started; etcd accepts its clients; the
                certificates of kubelet, controller manager and scheduler
  trust         in what else, such as a second CA in ca.crt; with --live: the CA
                that the cluster hands out; and that of each --kubeconfig

Where there is no cluster.yaml, as in a directory that kubeadm made, the files
themselves say for which names and addresses they are: what most of them agree
on is right. --live asks what cluster up runs in the directory, or else what the
node should run; with --server, --etcd and --kubelet other addresses. No key
leaves the machine: the directory's client certificates are shown to servers
that its own CA vouches for, and to no others.

Flags of the components, their manifests and the audit policy are looked at by:
pkictl apiserver check

Exit codes: 0 nothing was found but notes, 3 something was, 1 a file could not
be read (the others are still looked at).`,
		Example: `  pkictl cluster init --node cp-1 --advertise-address 10.0.0.11
  pkictl cluster check
  pkictl cluster check kubernetes --within 60d -o json
  pkictl cluster check --quiet --prometheus pkictl_cluster.prom
  pkictl cluster check --kubeconfig kubernetes/admin.conf`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			f.Dir = a.clusterDir
			if len(args) > 0 {
				if cmd.Flags().Changed("dir") {
					return failure.New(failure.Usage, "leave one of them out", "the directory is given twice: %q and --dir %q", args[0], a.clusterDir)
				}
				f.Dir = args[0]
			}
			return a.clusterCheck(cmd, f)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&f.Node, "node", "", "look at the node of this `NAME` alone")
	flags.StringVar(&f.within, "within", "", "`TIME` within which an end counts as found (default 30d, or the last third of a shorter life)")
	flags.StringVar(&f.Owner, "owner", "", "`USER[:GROUP]` whom it has to belong to (default root:root for root, for others who owns the directory)")
	flags.StringArrayVar(&f.Kubeconfigs, "kubeconfig", nil, "compare the CA in this `FILE` with the cluster's; may be given several times")
	flags.BoolVar(&f.Live, "live", false, "ask the components what they show and accept")
	flags.StringArrayVar(&f.Servers, "server", nil, "`HOST:PORT` of an API server to ask (default as the kubeconfigs say); may be given several times")
	flags.StringArrayVar(&f.Etcd, "etcd", nil, "`HOST:PORT` of etcd to ask (default port 2379 of the node); may be given several times")
	flags.StringArrayVar(&f.Kubelets, "kubelet", nil, "`HOST:PORT` of a kubelet to ask (default port 10250 of the node); may be given several times")
	flags.DurationVar(&f.Timeout, "request-timeout", clusterCheckTimeout, "`TIME` that one connection or request may take")
	flags.StringVar(&f.prometheus, "prometheus", "", "also write metrics to this `FILE`, which ends in .prom")
	addExplain(cmd, &f.explain)
	return cmd
}

func (a *app) clusterCheck(cmd *cobra.Command, f clusterCheckFlags) error {
	o := f.CheckOptions
	o.Now, o.Agent = a.now(), "pkictl/"+version
	if f.within != "" {
		var err error
		if o.Within, err = ca.ParseValidity(f.within); err != nil {
			return err
		}
	}
	switch {
	case o.Timeout <= 0:
		return failure.New(failure.Usage, "write it like 30s", "--request-timeout %s is not a time to wait", o.Timeout)
	case !o.Live && (o.Servers != nil || o.Etcd != nil || o.Kubelets != nil):
		return failure.New(failure.Usage, "add --live", "an address to ask is given, but without --live nobody is asked")
	case f.explain:
		return a.explain(cluster.ExplainCheck(o))
	}
	if f.prometheus != "" {
		if err := ca.CheckMetricsPath(f.prometheus); err != nil {
			return err
		}
	}
	steps := a.newSteps()
	if o.Live {
		steps.begin("asking the components")
	}
	report, err := cluster.Check(cmd.Context(), o)
	steps.clear()
	if err != nil {
		return err
	}
	if f.prometheus != "" {
		if err := report.WriteMetrics(f.prometheus); err != nil {
			return err
		}
	}
	return a.reportClusterCheck(report, o)
}

// reportClusterCheck prints what was found, and says how the command ends.
func (a *app) reportClusterCheck(report *cluster.CheckReport, o cluster.CheckOptions) error {
	result := struct {
		typeMeta
		*cluster.CheckReport
	}{kind("ClusterCheck"), report}
	if err := a.print(result, func(w io.Writer) { a.printClusterCheck(w, report, o) }); err != nil {
		return err
	}
	if report.Unread != nil {
		more := ""
		if n := len(report.Unread) - 1; n > 0 {
			more = fmt.Sprintf(", and %d more", n)
		}
		return failure.New(failure.Failed, "run it as who may, as in: sudo pkictl cluster check", "%v%s", report.Unread[0], more)
	}
	if !report.OK {
		return errFound
	}
	return nil
}

func (a *app) printClusterCheck(w io.Writer, report *cluster.CheckReport, o cluster.CheckOptions) {
	for i, n := range report.Nodes {
		if i > 0 {
			fmt.Fprintln(w)
		}
		if len(report.Nodes) > 1 || n.FromFiles {
			a.printCheckedNode(w, n)
		}
		a.printCheckedEntries(w, n)
	}
	a.printCheckedServers(w, report.Nodes)
	failed := a.printClusterFindings(w, report)
	called := ""
	if !o.Live {
		called = " No server was called: --live does."
	}
	fmt.Fprintf(w, "\n%s on %s.%s\n", count(failed, "finding"), count(len(report.Nodes), "node"), called)
}

func (a *app) printCheckedNode(w io.Writer, n *cluster.CheckedNode) {
	from := ""
	if n.FromFiles {
		from = ", as its files say"
	}
	fmt.Fprintf(w, "Node %s in %s%s\n", printable(cmp.Or(n.Node, "of no name")), printable(n.Dir), from)
}

func (a *app) printCheckedEntries(w io.Writer, n *cluster.CheckedNode) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "ENTRY\tENDS\tENDS IN\tSIGNED BY\tKEY\tRESULT")
	for _, e := range n.Entries {
		end, in, result := "-", "-", "ok"
		if e.NotAfter != nil {
			end, in = e.NotAfter.Format(time.DateOnly), left(e.NotAfter.Sub(a.now()))
		}
		switch {
		case e.Missing && e.Findings > 0:
			result = "missing"
		case e.Findings > 0:
			result = count(e.Findings, "finding")
		case e.Missing:
			result = "not here"
		case e.Unread:
			result = "not read"
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\n", printable(e.Name), end, in, dash(printable(e.SignedBy)), dash(printable(e.Key)), result)
	}
	_ = t.Flush() // w is a buffer
}

func (a *app) printCheckedServers(w io.Writer, nodes []*cluster.CheckedNode) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	first := true
	for _, n := range nodes {
		for _, s := range n.Servers {
			if first {
				fmt.Fprintln(t, "\nCOMPONENT\tADDRESS\tENDS\tENDS IN\tSIGNED BY\tON DISK")
				first = false
			}
			end, in, disk := "-", "-", "-"
			if s.NotAfter != nil {
				end, in = s.NotAfter.Format(time.DateOnly), left(s.NotAfter.Sub(a.now()))
				switch {
				case s.Current:
					disk = "the same"
				case s.Entry != "":
					disk = "another"
				}
			}
			if s.Error != "" {
				disk = "no answer"
			}
			fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\n", s.Component, printable(s.Address), end, in, dash(printable(s.SignedBy)), disk)
		}
	}
	_ = t.Flush() // w is a buffer
}

// printClusterFindings returns how many there are that count.
func (a *app) printClusterFindings(w io.Writer, report *cluster.CheckReport) int {
	failed := 0
	if len(report.Findings) == 0 {
		return 0
	}
	fmt.Fprintln(w)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "FILE\tCHECK\tFINDING")
	for i, f := range report.Findings {
		text := "wanted " + f.Wanted + "; found " + f.Found
		if strings.HasPrefix(f.Found, "cannot ") || f.Field == cluster.FieldFile && f.Wanted == "what can be read" {
			text = f.Found
		}
		if f.CIS != "" {
			text += " (CIS " + f.CIS + ")"
		}
		if f.Level == cluster.LevelNote {
			text = "note: " + text
		} else {
			failed++
		}
		fmt.Fprintf(t, "%s\t%s\t%s\n", printable(shortFile(report, f)), f.Field, printable(text))
		// Below it, for both are long, and once for those that one command mends.
		if i+1 == len(report.Findings) || report.Findings[i+1].Hint != f.Hint {
			fmt.Fprintf(t, "\t\thint: %s\n", printable(a.asCalled(f.Hint)))
		}
	}
	_ = t.Flush() // w is a buffer
	return failed
}

// shortFile leaves out the cluster directory that is alone.
func shortFile(report *cluster.CheckReport, f cluster.Finding) string {
	if len(report.Nodes) == 1 {
		if short, err := filepath.Rel(report.Nodes[0].Dir, f.File); err == nil && filepath.IsLocal(short) && short != "." {
			return short
		}
	}
	return f.File
}
