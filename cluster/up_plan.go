package cluster

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/pkictl/pkictl/internal/failure"
)

// plan is a run that was checked.
type plan struct {
	UpOptions
	run              runDir
	check            *runCheck
	services, domain string
	manager          *localConfig // nil: without kube-controller-manager
	admin, super     *localConfig // nil: there is no such file
	hadData          bool         // of an earlier run
	serverName       string
}

// CheckUp checks all that Up needs, and changes nothing: the PKI and the
// kubeconfigs, binaries and ports. The error names what is missing or wrong.
func CheckUp(o UpOptions) error {
	p, err := newPlan(o)
	if err != nil {
		return err
	}
	// What an earlier run has left may have the ports; Up ends that first.
	if old, err := p.run.read(); err == nil && old == nil {
		return p.checkPortsFree()
	}
	return nil
}

func newPlan(o UpOptions) (*plan, error) {
	o, err := o.absolute()
	if err != nil {
		return nil, err
	}
	p := &plan{UpOptions: o, run: runDirOf(o.Dir), hadData: runDirOf(o.Dir).hasData()}
	if err := o.checkPorts(); err != nil {
		return nil, err
	}
	settings, _, err := settingsOf(o.Dir)
	if err != nil {
		return nil, err
	}
	if settings.ExternalEtcd {
		return nil, failure.New(failure.Failed, "make a PKI for both with: pkictl cluster init --dir DIR", "etcd of %q runs elsewhere, so its PKI cannot run one here", o.Dir)
	}
	if p.check, err = checkRunnable(o.Dir, !o.WithoutControllerManager, o.Now); err != nil {
		return nil, err
	}
	if err := p.readConfigs(); err != nil {
		return nil, err
	}
	server := p.check.found["apiserver"].Certificate
	p.services, p.domain = ranges(settings, server)
	if p.serverName, err = serverName(server); err != nil {
		return nil, err
	}
	if err := p.run.checkData(o.pki()); err != nil {
		return nil, err
	}
	return p, p.checkAssets()
}

func (p *plan) readConfigs() (err error) {
	if p.admin, err = p.check.local(NameAdmin); err != nil {
		return err
	}
	if p.super, err = p.check.local(NameSuperAdmin); err != nil {
		return err
	}
	p.manager, err = p.check.local(managerCnf)
	return err
}

func (p *plan) checkAssets() error {
	if p.manager == nil || p.Assets.ControllerManager != "" {
		return nil
	}
	return failure.New(failure.Failed,
		"take it from a Kubernetes release, or let \"make test\" build it into tools/bin; setup-envtest has none: with its binaries add --without-controller-manager",
		"%s not found in %q, beside %s", ComponentControllerManager, filepath.Dir(p.Assets.APIServer), ComponentAPIServer)
}

// checkPortsFree refuses ports that somebody has, before anything is started.
func (p *plan) checkPortsFree() error {
	for _, w := range p.Ports.list() {
		if w.port == 0 || w.component == ComponentControllerManager && p.manager == nil {
			continue
		}
		if err := checkPort(w.port); err != nil {
			return portError(&PortError{Component: w.component, Port: w.port, Err: err})
		}
	}
	return nil
}

// portError says what to do about a port that cannot be had.
func portError(err *PortError) error {
	flag := map[string]string{ComponentEtcd: "--etcd-port and --etcd-peer-port", ComponentAPIServer: "--port", ComponentControllerManager: "--controller-manager-port"}
	why := err.Err
	var system *os.SyscallError
	if errors.As(why, &system) {
		why = system.Err
	}
	return failure.Wrap(why, failure.Failed,
		fmt.Sprintf("end what has it, choose another with %s, or have free ones chosen with --port auto", flag[err.Component]),
		"port %d on %s, meant for %s, cannot be used", err.Port, loopback, err.Component)
}

// prepareAdmin sees to it that there is a kubeconfig for the user.
func (p *plan) prepareAdmin(ctx context.Context) error {
	if p.admin != nil {
		return nil
	}
	if p.super != nil {
		p.admin = p.super
		return nil
	}
	var err error
	p.admin, err = p.check.mint(ctx, "kubernetes-admin", GroupClusterAdmins, adminValidity)
	return err
}

// Credentials that are made because the cluster directory has none.
const (
	adminValidity = "720h"
	superValidity = "1h"
	superName     = "kubernetes-super-admin"
)

// config is that of the components.
func (p *plan) config(ports Ports) Config {
	cfg := Config{
		PKI: p.pki(), Dir: string(p.run), Assets: p.Assets, Ports: ports, ExtraArgs: p.ExtraArgs,
		ServiceCIDR: p.services, DNSDomain: p.domain, UnsafeNoFsync: p.UnsafeNoFsync, Progress: p.Progress,
		noSigning: p.check.noSigning != "",
	}
	if p.manager != nil {
		cfg.ControllerManagerKubeconfig = p.run.path(managerCnf)
	}
	return cfg
}
