package cluster

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
)

// Config says what to run and where.
type Config struct {
	// PKI is a directory with kubeadm's file names; pkiFiles are the ones needed.
	PKI string

	// ControllerManagerKubeconfig is the credential of kube-controller-manager.
	// It holds the API server's URL, so Ports.APIServer has to be set with it.
	// Empty: kube-controller-manager is not started.
	ControllerManagerKubeconfig string

	// Dir holds etcd's data and a log file per component. It is made, with
	// mode 0700, where it does not exist. A Dir used before continues with
	// its data; the logs start anew.
	Dir string

	Assets Assets // from FindAssets
	Ports  Ports

	// ExtraArgs are flags in the form --name=value, per component. A flag
	// given here replaces the one that Start would set.
	ExtraArgs map[string][]string

	// ServiceCIDR is the range of the services, or two of both families with a
	// comma between; DNSDomain is that of the cluster. Empty: kubeadm's defaults.
	ServiceCIDR, DNSDomain string

	// UnsafeNoFsync lets etcd skip fsync, for tests: faster, and the data may
	// be lost when the machine (not the process) crashes.
	UnsafeNoFsync bool

	// Progress is told each step in words: what begins, and with done what has
	// ended. It may be nil.
	Progress func(step string, done bool)

	// noSigning keeps ca.key from kube-controller-manager, which could not read it.
	noSigning bool
	// started is told each process when it has begun. It may be nil.
	started func(name string, port, pid int) error
}

// pkiFiles are the files of Config.PKI without which the processes do not run.
// There may be more: without ca.key kube-controller-manager signs nothing, as
// with kubeadm's external CA; and kubelets and front proxies are another's.
var pkiFiles = [...]string{
	"ca.crt",
	"apiserver.crt", "apiserver.key",
	"apiserver-etcd-client.crt", "apiserver-etcd-client.key",
	"sa.key", "sa.pub",
	"etcd/ca.crt", "etcd/server.crt", "etcd/server.key",
}

// check finds the mistakes that need no process to find them.
func (c Config) check() error {
	if c.PKI == "" || c.Dir == "" {
		return errors.New("control plane: the PKI directory and the data directory must both be given")
	}
	for name := range c.ExtraArgs {
		if !slices.Contains(componentNames(), name) {
			return fmt.Errorf("extra arguments for %q: there is no such component", name)
		}
	}
	for _, name := range pkiFiles {
		if _, err := os.Stat(c.pki(name)); err != nil {
			return fmt.Errorf("PKI directory %q is not complete: %w", c.PKI, err)
		}
	}
	return c.checkControllerManager()
}

func (c Config) checkControllerManager() error {
	if c.ControllerManagerKubeconfig == "" {
		return nil
	}
	if c.Assets.ControllerManager == "" {
		return missingAssets([]string{ComponentControllerManager},
			fmt.Sprintf("%q, beside %s", filepath.Dir(c.Assets.APIServer), ComponentAPIServer))
	}
	if c.Ports.APIServer == 0 {
		return fmt.Errorf("port of %s: must be given together with a kubeconfig of %s, which holds it",
			ComponentAPIServer, ComponentControllerManager)
	}
	if _, err := os.Stat(c.ControllerManagerKubeconfig); err != nil {
		return fmt.Errorf("kubeconfig of %s: %w", ComponentControllerManager, err)
	}
	return nil
}

// pki returns the path of a PKI file, named with slashes as in pkiFiles.
func (c Config) pki(name string) string { return filepath.Join(c.PKI, filepath.FromSlash(name)) }

// has says whether all of these PKI files are there.
func (c Config) has(names ...string) bool {
	for _, name := range names {
		if _, err := os.Stat(c.pki(name)); err != nil {
			return false
		}
	}
	return true
}

func (c Config) logPath(component string) string { return filepath.Join(c.Dir, component+".log") }

func (c Config) begin(format string, args ...any) { c.progress(false, format, args...) }

func (c Config) done(format string, args ...any) { c.progress(true, format, args...) }

func (c Config) progress(done bool, format string, args ...any) {
	if c.Progress != nil {
		c.Progress(fmt.Sprintf(format, args...), done)
	}
}
