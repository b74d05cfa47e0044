package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/pkictl/pkictl/cluster"
	"github.com/pkictl/pkictl/internal/failure"
	"github.com/pkictl/pkictl/internal/shell"
)

type clusterUpFlags struct {
	cluster.UpOptions
	foreground bool
	set        []string
	assets     string
	ports      portFlags
	dryRun     bool
	explain    bool
}

// portFlags are ports as they are written.
type portFlags struct{ apiServer, etcd, etcdPeer, controllerManager string }

func (a *app) clusterUpCmd() *cobra.Command {
	var f clusterUpFlags
	cmd := &cobra.Command{
		Use:   "up",
		Short: "Run a control plane on the PKI of a cluster directory, on this machine",
		Long: `Run etcd, kube-apiserver and kube-controller-manager as processes on 127.0.0.1,
with the certificates, keys and kubeconfigs of a cluster directory, be it made
by pkictl or kubeadm. All of these are checked before anything is started. Then
it makes the bindings that kubeadm makes for its administrators and for the API
server's access to kubelets, and writes a kubeconfig.

It returns when all is ready; the control plane then runs until "pkictl cluster
down". With --foreground it stays, and Ctrl-C ends all in order. Data, logs and
the kubeconfig are in run in the cluster directory; the next up continues with
the data.

The binaries are the real ones: those in --assets, PKICTL_ASSETS or
KUBEBUILDER_ASSETS, or else on PATH. Service range and DNS domain are those of
cluster.yaml, or else those that the API server's certificate is for.`,
		Example: `  pkictl cluster init --node cp-1 --advertise-address 10.0.0.11
  pkictl cluster up --explain
  pkictl cluster up --port auto --set kube-apiserver.v=4`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.clusterUp(cmd, f) },
	}
	flags := cmd.Flags()
	flags.BoolVar(&f.foreground, "foreground", false, "stay, and end all with Ctrl-C")
	flags.StringArrayVar(&f.set, "set", nil, "`COMPONENT.FLAG=VALUE` to give a component one more flag, or another value; repeatable")
	flags.StringVar(&f.assets, "assets", "", "`DIRECTORY` with etcd, kube-apiserver and kube-controller-manager")
	flags.StringVar(&f.ports.apiServer, "port", fmt.Sprint(cluster.DefaultPorts.APIServer), "`PORT` of kube-apiserver; auto has free ones chosen, for all that no flag names")
	flags.StringVar(&f.ports.etcd, "etcd-port", fmt.Sprint(cluster.DefaultPorts.Etcd), "`PORT` of etcd for clients, or auto")
	flags.StringVar(&f.ports.etcdPeer, "etcd-peer-port", fmt.Sprint(cluster.DefaultPorts.EtcdPeer), "`PORT` of etcd for its peers, or auto")
	flags.StringVar(&f.ports.controllerManager, "controller-manager-port", fmt.Sprint(cluster.DefaultPorts.ControllerManager), "`PORT` of kube-controller-manager, or auto")
	flags.BoolVar(&f.WithoutControllerManager, "without-controller-manager", false, "run etcd and kube-apiserver alone, which is what setup-envtest has")
	flags.BoolVar(&f.UnsafeNoFsync, "unsafe-no-fsync", false, "let etcd not wait for the disk: faster, and the data may be lost if the machine crashes")
	addDryRun(cmd, &f.dryRun)
	addExplain(cmd, &f.explain)
	completeComponents(cmd)
	return cmd
}

// completeComponents offers the components that a flag can be set of.
func completeComponents(cmd *cobra.Command) {
	// The only error is a flag that does not exist, which a test would show.
	_ = cmd.RegisterFlagCompletionFunc("set", cobra.FixedCompletions(
		[]string{cluster.ComponentEtcd + ".", cluster.ComponentAPIServer + ".", cluster.ComponentControllerManager + "."},
		cobra.ShellCompDirectiveNoFileComp|cobra.ShellCompDirectiveNoSpace))
}

// read turns the ports as they are written into numbers. A free API server's
// port makes all others free that are not given.
func (p portFlags) read(given func(flag string) bool) (ports cluster.Ports, err error) {
	for _, one := range []struct {
		flag, text string
		port       *int
	}{
		{"port", p.apiServer, &ports.APIServer},
		{"etcd-port", p.etcd, &ports.Etcd},
		{"etcd-peer-port", p.etcdPeer, &ports.EtcdPeer},
		{"controller-manager-port", p.controllerManager, &ports.ControllerManager},
	} {
		if p.apiServer == "auto" && !given(one.flag) {
			continue
		}
		if *one.port, err = cluster.ParsePort(one.text); err != nil {
			return ports, failure.Wrap(err, failure.Usage, "", "--%s", one.flag)
		}
	}
	return ports, nil
}

// clusterUpOptions reads the flags, and finds the binaries.
func (a *app) clusterUpOptions(cmd *cobra.Command, f *clusterUpFlags) error {
	f.Dir, f.Now, f.Agent = a.clusterDir, a.now(), "pkictl/"+version
	f.ExtraArgs = map[string][]string{}
	for _, text := range f.set {
		component, arg, err := cluster.ParseSet(text)
		if err != nil {
			return failure.Wrap(err, failure.Usage, "", "--set")
		}
		f.ExtraArgs[component] = append(f.ExtraArgs[component], arg)
	}
	var err error
	if f.Ports, err = f.ports.read(cmd.Flags().Changed); err != nil {
		return err
	}
	f.Assets, err = cluster.FindAssets(f.assets, a.env)
	return err
}

func (a *app) clusterUp(cmd *cobra.Command, f clusterUpFlags) error {
	if err := a.clusterUpOptions(cmd, &f); err != nil {
		return err
	}
	if f.explain {
		return a.explain(cluster.ExplainUp(f.UpOptions))
	}
	a.stopsOthers()
	steps := a.newSteps()
	defer steps.clear()
	f.Progress = steps.show
	ctx := cmd.Context()
	for {
		status, err := cluster.Existing(ctx, f.UpOptions, a.isParticular(cmd))
		if status != nil || err != nil {
			steps.clear()
			return a.clusterUpExists(f, status, err)
		}
		if err := cluster.CheckUp(f.UpOptions); err != nil {
			return err
		}
		switch {
		case f.dryRun:
			return a.print(clusterUpPlan{kind("ClusterUp"), f.UpOptions, true}, func(w io.Writer) {
				fmt.Fprintf(w, "Would run the control plane of %s (dry run: nothing was started)\n", printable(f.Dir))
			})
		case f.foreground:
			return a.clusterUpHere(ctx, f, steps)
		}
		err = a.launch(ctx, f)
		var running *cluster.RunningError
		if errors.As(err, &running) { // another one was faster
			continue
		}
		steps.clear()
		if err != nil {
			return a.showLog(err)
		}
		if status, err = cluster.ReadStatus(ctx, f.Dir); err != nil {
			return err
		}
		return a.printUp(status, "")
	}
}

// clusterUpExists says what becomes of the wish where one runs already.
func (a *app) clusterUpExists(f clusterUpFlags, status *cluster.Status, err error) error {
	switch {
	case err != nil:
		return a.showLog(err)
	case f.foreground:
		return failure.New(failure.Failed, "end that one first with: pkictl cluster down", "the control plane of %q runs already", f.Dir)
	case !status.Healthy():
		return failure.New(failure.Failed, "see: pkictl cluster status", "the control plane of %q runs already, but is not ready", f.Dir)
	}
	return a.printUp(status, " already")
}

// isParticular says whether flags were given that say how to run: another
// control plane of the directory is then the right one only if it has the same.
func (a *app) isParticular(cmd *cobra.Command) bool {
	for _, flag := range []string{"set", "assets", "port", "etcd-port", "etcd-peer-port", "controller-manager-port", "without-controller-manager", "unsafe-no-fsync"} {
		if cmd.Flags().Changed(flag) {
			return true
		}
	}
	return false
}

type clusterUpPlan struct {
	typeMeta
	cluster.UpOptions
	DryRun bool `json:"dryRun"`
}

// launch starts this program again as the keeper.
func (a *app) launch(ctx context.Context, f clusterUpFlags) error {
	self, err := os.Executable()
	if err != nil {
		return failure.Wrap(err, failure.Failed, "run it here with --foreground", "cannot find this program to start it in the background")
	}
	dir, err := filepath.Abs(f.Dir) // whoever looks for processes sees of which directory this one is
	if err != nil {
		return err
	}
	return cluster.Launch(ctx, exec.Command(self, "cluster", "keep", "--dir", dir), f.UpOptions)
}

// clusterUpHere runs the control plane in this process until it is told to end.
func (a *app) clusterUpHere(ctx context.Context, f clusterUpFlags, steps *steps) error {
	running, err := cluster.Up(ctx, f.UpOptions)
	if err != nil {
		steps.clear()
		return a.showLog(err)
	}
	status, err := cluster.ReadStatus(ctx, f.Dir)
	if err == nil {
		err = a.printUp(status, ", until Ctrl-C")
	}
	if err == nil {
		err = running.Wait(ctx)
	}
	err = errors.Join(err, running.Stop())
	steps.clear()
	if err != nil {
		return a.showLog(err)
	}
	return nil
}

// showLog prints the last lines of a component's log, and returns the error that
// came of it in one line.
func (a *app) showLog(err error) error {
	if errors.Is(err, context.Canceled) {
		return failure.New(failure.Failed, "", "interrupted; all that was started is stopped")
	}
	var component *cluster.ComponentError
	if !errors.As(err, &component) {
		return err
	}
	a.showTail(component.Log, component.Tail)
	hint := failure.HintOf(err)
	if hint == "" {
		hint = "see the whole log: " + component.Log
	}
	return failure.New(failure.KindOf(err), hint, "%s %v", component.Component, component.Err)
}

// showTail prints the last lines of a log, which are printable.
func (a *app) showTail(log string, lines []string) {
	if len(lines) == 0 {
		return
	}
	fmt.Fprintf(a.err, "the last lines of %s:\n", printable(log))
	for _, line := range lines {
		fmt.Fprintf(a.err, "  %s\n", shortened(line))
	}
}

// longestLine is how much of a line of a log is shown: etcd writes pages.
const longestLine = 400

func shortened(line string) string {
	if len(line) <= longestLine {
		return line
	}
	return strings.ToValidUTF8(line[:longestLine], "") + " ..."
}

type clusterStatusResult struct {
	typeMeta
	*cluster.Status
}

// printUp says what runs, and what to do with it.
func (a *app) printUp(status *cluster.Status, note string) error {
	return a.print(clusterStatusResult{kind("ClusterStatus"), status}, func(w io.Writer) {
		name := "The control plane"
		if status.Version != "" {
			name = "Kubernetes " + printable(status.Version)
		}
		fmt.Fprintf(w, "%s runs on %s%s\n", name, status.Server, note)
		fmt.Fprintf(w, "Next: export KUBECONFIG=%s\n", printable(shell.Quote(status.Kubeconfig)))
	})
}

// clusterKeepCmd is what "cluster up" starts in the background.
func (a *app) clusterKeepCmd() *cobra.Command {
	return &cobra.Command{
		Use: "keep", Hidden: true, Args: noArgs,
		Short: "Run a control plane for cluster up",
		RunE: func(cmd *cobra.Command, _ []string) error {
			a.stopsOthers()
			// Where nobody reads what it tells, it is to end in order, not by the
			// signal that a closed standard output sends.
			signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
			return a.showLog(cluster.Keep(cmd.Context(), a.in, a.out, a.now()))
		},
	}
}
