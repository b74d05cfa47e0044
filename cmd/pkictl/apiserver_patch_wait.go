package main

import (
	"time"

	"github.com/spf13/cobra"

	"github.com/pkictl/pkictl/apiserver"
	"github.com/pkictl/pkictl/internal/failure"
	"github.com/pkictl/pkictl/internal/staticpod"
)

// waitFlags say whether to wait for kube-apiserver, and how.
type waitFlags struct {
	wait    bool
	timeout time.Duration
	logs    string
}

func (f *waitFlags) add(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.BoolVar(&f.wait, "wait", false, "wait until kube-apiserver is healthy; if it does not come back, put the old manifest back")
	flags.DurationVar(&f.timeout, "timeout", apiserver.WaitTimeout, "with --wait: how long it may take, as a `DURATION`")
	flags.StringVar(&f.logs, "pod-logs", staticpod.LogDir, "with --wait: `DIRECTORY` in which the kubelet keeps the logs of pods")
}

// check refuses flags that would have no effect.
func (f *waitFlags) check(cmd *cobra.Command) error {
	for _, name := range []string{"timeout", "pod-logs"} {
		if cmd.Flags().Changed(name) && !f.wait {
			return failure.New(failure.Usage, "add --wait", "--%s is for --wait", name)
		}
	}
	if f.timeout <= 0 {
		return failure.New(failure.Usage, "for example --timeout 60s", "--timeout %s is no time to wait", f.timeout)
	}
	return nil
}

// writePatch writes a patch, and waits if it is to. It shows on standard error
// what it waits for.
func (a *app) writePatch(cmd *cobra.Command, patch *apiserver.Patch, f waitFlags) (*apiserver.Written, *apiserver.WaitResult, error) {
	waiting := func() { a.waitingFor(patch.Path) }
	if !f.wait {
		written, err := patch.Write(cmd.Context(), waiting)
		return written, nil, err
	}
	steps := a.newSteps()
	written, result, err := patch.WriteAndWait(cmd.Context(), waiting, apiserver.WaitOptions{
		Timeout: f.timeout, LogDir: f.logs, Progress: func(step string) { steps.show(step, false) },
	})
	steps.clear()
	if err != nil && result != nil && a.output == "text" {
		a.showTail(result.Log, result.Tail)
	}
	return written, result, err
}
