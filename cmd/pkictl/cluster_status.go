package main

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/pkictl/pkictl/ca"
	"github.com/pkictl/pkictl/cluster"
)

func (a *app) clusterStatusCmd() *cobra.Command {
	return &cobra.Command{
		Use:   "status",
		Short: "Show what runs of the control plane that cluster up has started",
		Long: `Show the processes that "pkictl cluster up" has started in a cluster directory,
and ask each whether it is ready.

Exit code 3: something that should run does not, or is not ready; or nothing
runs at all.`,
		Example: `  pkictl cluster status
  pkictl cluster status -o json`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			status, err := cluster.ReadStatus(cmd.Context(), a.clusterDir)
			if err != nil {
				return err
			}
			err = a.print(clusterStatusResult{kind("ClusterStatus"), status}, func(w io.Writer) { a.writeStatus(w, status) })
			if err != nil || status.Healthy() {
				return err
			}
			return errFound
		},
	}
}

func (a *app) writeStatus(w io.Writer, s *cluster.Status) {
	dir := printable(a.clusterDir)
	switch s.State {
	case cluster.RunStopped:
		fmt.Fprintf(w, "Nothing runs of %s\nNext: pkictl cluster up%s\n", dir, dirFlag(a.clusterDir))
		return
	case cluster.RunFailed:
		a.writeFailed(w, s)
		return
	case cluster.RunKilled:
		fmt.Fprintf(w, "The process that ran the control plane of %s was killed\nNext: pkictl cluster up%s\n", dir, dirFlag(a.clusterDir))
	case cluster.RunStarting:
		fmt.Fprintf(w, "The control plane of %s is starting\n", dir)
	case cluster.RunStopping:
		fmt.Fprintf(w, "The control plane of %s is stopping\n", dir)
	case cluster.RunDegraded:
		fmt.Fprintf(w, "The control plane of %s is not ready\n", dir)
	default:
		fmt.Fprintf(w, "The control plane of %s is ready\n", dir)
	}
	printRows(w, "  ", row{"server", s.Server}, row{"version", s.Version}, row{"kubeconfig", s.Kubeconfig}, row{"flags", extraArgs(s)})
	a.writeProcesses(w, s)
}

func (a *app) writeFailed(w io.Writer, s *cluster.Status) {
	fmt.Fprintf(w, "The control plane of %s ended by itself: %s %s\n", printable(a.clusterDir), printable(s.Failure.Component), printable(s.Failure.Message))
	if len(s.Failure.Tail) > 0 {
		fmt.Fprintf(w, "The last lines of %s:\n", printable(s.Failure.Log))
	}
	for _, line := range s.Failure.Tail {
		fmt.Fprintf(w, "  %s\n", shortened(printable(line)))
	}
	fmt.Fprintf(w, "Next: pkictl cluster up%s\n", dirFlag(a.clusterDir))
}

func extraArgs(s *cluster.Status) string {
	var list []string
	for component, args := range s.ExtraArgs {
		for _, arg := range args {
			list = append(list, component+" "+arg)
		}
	}
	slices.Sort(list)
	return strings.Join(list, ", ")
}

func (a *app) writeProcesses(w io.Writer, s *cluster.Status) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "COMPONENT\tPID\tPORT\tREADY\tFOR\tMEMORY\tLOG")
	list := s.Components
	if s.Keeper != nil {
		list = append(slices.Clone(list), *s.Keeper)
	}
	for _, p := range list {
		ready, since := "yes", ca.FormatValidity(a.now().Sub(p.Since))
		if !p.Ready {
			ready = "no: " + printable(cmp.Or(p.Problem, "starting"))
		}
		if p.PID == 0 {
			since = ""
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n",
			p.Name, number(p.PID), number(p.Port), ready, dash(since), mebibytes(p.Memory), printable(p.Log))
	}
	_ = t.Flush() // w is a buffer
}

// number shows a number, and a dash where there is none.
func number(n int) string {
	if n == 0 {
		return "-"
	}
	return fmt.Sprint(n)
}

func mebibytes(n int64) string {
	if n == 0 {
		return "-"
	}
	return fmt.Sprintf("%d MiB", n>>20)
}
