package main

import (
	"cmp"
	"path/filepath"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/pkictl/pkictl/internal/failure"
	"github.com/pkictl/pkictl/internal/kubeclient"
)

// connection is what the flags say of the cluster to talk to.
type connection struct {
	file    string
	context string
	timeout time.Duration
}

// addConnection adds the flags that say which cluster, named as kubectl's are.
func addConnection(cmd *cobra.Command) *connection {
	c := &connection{}
	flags := cmd.Flags()
	flags.StringVar(&c.file, "kubeconfig", "", "`FILE` to reach the cluster with (default as kubectl: $KUBECONFIG, or ~/.kube/config)")
	flags.StringVar(&c.context, "context", "", "`NAME` of the context in it (default the current one)")
	flags.DurationVar(&c.timeout, "request-timeout", kubeclient.DefaultTimeout, "`TIME` that one request may take")
	return c
}

// connect reads the kubeconfigs; nothing is sent yet.
func (a *app) connect(c *connection) (*kubeclient.Client, error) {
	if c.timeout <= 0 {
		return nil, failure.New(failure.Usage, "write it like 30s", "--request-timeout %s is not a time to wait", c.timeout)
	}
	return kubeclient.Connect(a.kubeOptions(c))
}

func (a *app) kubeOptions(c *connection) kubeclient.Options {
	return kubeclient.Options{
		File: c.file, Paths: a.kubeconfigPaths(), Context: c.context, Timeout: c.timeout, Agent: "pkictl/" + version,
	}
}

// kubeconfigPaths returns the kubeconfigs that kubectl reads where none is
// named: those of KUBECONFIG, each once, or the one in the home directory.
func (a *app) kubeconfigPaths() []string {
	var paths []string
	for _, path := range filepath.SplitList(a.env("KUBECONFIG")) {
		if path != "" && !slices.Contains(paths, path) {
			paths = append(paths, path)
		}
	}
	if home := cmp.Or(a.env("HOME"), a.env("USERPROFILE")); paths == nil && home != "" {
		paths = []string{filepath.Join(home, ".kube", "config")}
	}
	return paths
}
