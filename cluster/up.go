package cluster

import (
	"cmp"
	"context"
	"errors"
	"os"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"github.com/gofrs/flock"

	"github.com/pkictl/pkictl/ca"
	"github.com/pkictl/pkictl/internal/failure"
	"github.com/pkictl/pkictl/internal/kubeclient"
)

// portTries is how often ports are chosen that turn out to be taken when they
// are needed.
const portTries = 3

// Running is a control plane that Up has started.
type Running struct {
	// Server is the URL of the API server, Kubeconfig the path of a kubeconfig
	// that reaches it as an administrator.
	Server, Kubeconfig string

	cp    *ControlPlane
	run   runDir
	lock  *flock.Flock
	state state

	stopOnce sync.Once
	stopErr  error
	failure  *Failure // why it ended by itself
}

// Up runs the control plane of a cluster directory and returns when it is ready:
// the API server says so, kubeadm's bootstrap bindings are there, and
// kube-controller-manager is healthy. It then runs until Stop; ctx bounds the
// start only. When Up fails nothing is left running.
//
// Where another runs already the error is a RunningError. A component that ends,
// or is not ready in time, is a ComponentError.
func Up(ctx context.Context, o UpOptions) (*Running, error) {
	p, err := newPlan(o)
	if err != nil {
		return nil, err
	}
	if err := p.run.make(); err != nil {
		return nil, err
	}
	lock, err := p.run.take(ctx)
	if errors.Is(err, errTaken) {
		return nil, &RunningError{Dir: p.Dir}
	}
	if err != nil {
		return nil, err
	}
	r := &Running{run: p.run, lock: lock, state: state{Phase: phaseStarting, Since: o.Now, Options: p.UpOptions, Ports: p.Ports}}
	if err := r.start(ctx, p); err != nil {
		return nil, errors.Join(err, r.Stop())
	}
	return r, nil
}

func (r *Running) start(ctx context.Context, p *plan) error {
	if err := r.takeOver(ctx); err != nil {
		return err
	}
	if err := p.checkPortsFree(); err != nil {
		return err
	}
	p.progress("the certificates and keys fit together", true)
	if p.check.noSigning != "" {
		p.progress("ca.key "+p.check.noSigning+", so that no CertificateSigningRequest will be signed", true)
	}
	if err := r.run.noteData(p.pki()); err != nil {
		return err
	}
	if err := p.prepareAdmin(ctx); err != nil {
		return err
	}
	if err := r.startComponents(ctx, p); err != nil {
		return err
	}
	if err := r.bootstrap(ctx, p); err != nil {
		return err
	}
	r.state.Phase = phaseReady
	if err := r.run.write(r.state); err != nil {
		return err
	}
	// What starting took is not needed any more, and this process stays.
	debug.FreeOSMemory()
	return nil
}

// takeOver says who runs now, and ends what an owner that was killed has left.
func (r *Running) takeOver(ctx context.Context) error {
	old, err := r.run.read()
	if err != nil {
		old = nil // what was damaged is written anew
	}
	if old != nil {
		if err := endAll(ctx, old.Processes); err != nil {
			return err
		}
	}
	return r.own()
}

// startComponents chooses ports where they are not given, and starts all.
func (r *Running) startComponents(ctx context.Context, p *plan) error {
	for try := 1; ; try++ {
		err := r.startOn(ctx, p)
		var port *PortError
		if !errors.As(err, &port) {
			return r.explain(p, err)
		}
		if p.Ports.has(port.Port) || try == portTries {
			return portError(port)
		}
	}
}

// startOn starts all on ports that are free now.
func (r *Running) startOn(ctx context.Context, p *plan) error {
	ports, err := p.Ports.filled()
	if err != nil {
		return err
	}
	r.state.Ports = ports
	r.Server, r.Kubeconfig = httpsURL(ports.APIServer), r.run.path(adminConf)
	data, err := p.admin.at(r.Server, p.serverName)
	if err != nil {
		return err
	}
	if err := writeConfig(r.Kubeconfig, data); err != nil {
		return err
	}
	cfg := p.config(ports)
	if p.manager != nil {
		if data, err = p.manager.at(r.Server, p.serverName); err != nil {
			return err
		}
		if err := writeConfig(cfg.ControllerManagerKubeconfig, data); err != nil {
			return err
		}
	}
	cfg.started = r.note
	r.cp, err = Start(ctx, cfg)
	return err
}

// own makes this process known as the one that runs the control plane.
func (r *Running) own() error {
	r.state.Owner = identify(os.Getpid())
	return r.run.write(r.state)
}

// note makes a component known before it is waited for: whoever finds this
// process killed finds it.
func (r *Running) note(name string, port, pid int) error {
	r.state.Processes = slices.DeleteFunc(r.state.Processes, func(s started) bool { return s.Name == name })
	r.state.Processes = append(r.state.Processes, started{Name: name, ID: identify(pid), Port: port, Since: time.Now()})
	return r.run.write(r.state)
}

// explain adds what may help where etcd has old data.
func (r *Running) explain(p *plan, err error) error {
	var component *ComponentError
	if !errors.As(err, &component) {
		return err
	}
	hint := "see the whole log: " + component.Log
	if len(p.ExtraArgs[component.Component]) > 0 {
		hint += "; the flags of --set may be the reason"
	}
	if component.Component == ComponentEtcd && p.hadData {
		hint += "; if the data is damaged, begin anew with: pkictl cluster down --delete-data"
	}
	return failure.Wrap(err, failure.Failed, hint, "cannot run the control plane")
}

// bootstrap makes the bindings that kubeadm makes.
func (r *Running) bootstrap(ctx context.Context, p *plan) error {
	p.progress("making the bindings of the administrators", false)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() { // nobody answers any more
		select {
		case <-r.cp.died:
			cancel()
		case <-ctx.Done():
		}
	}()
	admin, err := p.client(r.Kubeconfig)
	if err != nil {
		return err
	}
	b := bootstrapper{admin: admin, super: func(ctx context.Context) (*kubeclient.Client, error) { return r.superClient(ctx, p) }}
	if err := b.ensure(ctx); err != nil {
		return r.died(p, err)
	}
	if slices.Contains(p.admin.groups(), GroupClusterAdmins) {
		if err := b.await(ctx); err != nil {
			return r.died(p, err)
		}
	}
	p.progress("the bindings "+GroupClusterAdmins+" and "+kubeletClientBinding+" are there", true)
	return nil
}

// died prefers the end of a component to what it led to.
func (r *Running) died(p *plan, err error) error {
	select {
	case <-r.cp.died:
		return r.explain(p, r.cp.deathError())
	default:
		return err
	}
}

func (p *plan) client(path string) (*kubeclient.Client, error) {
	return kubeclient.Connect(kubeclient.Options{File: path, Agent: cmp.Or(p.Agent, "pkictl")})
}

// superClient returns a client of group system:masters: that of super-admin.conf,
// or one whose credential is made for the purpose.
func (r *Running) superClient(ctx context.Context, p *plan) (*kubeclient.Client, error) {
	super := p.super
	if super == nil {
		var err error
		if super, err = p.check.mint(ctx, superName, ca.GroupMasters, superValidity); err != nil {
			return nil, failure.Wrap(err, failure.Failed, "bring super-admin.conf back, or the CA's key",
				"there is no super-admin.conf, and none can be made")
		}
	}
	admin, err := p.client(r.Kubeconfig)
	if err != nil {
		return nil, err
	}
	return admin.WithCertificate(super.user().ClientCertificateData, super.user().ClientKeyData)
}

// Wait blocks until ctx is done or Stop is called, and returns nil; or until a
// component ends by itself, and returns a ComponentError. Call Stop in any case.
func (r *Running) Wait(ctx context.Context) error {
	err := r.cp.Wait(ctx)
	if err != nil {
		r.failure = failureOf(err)
	}
	return err
}

// Stop ends the components in the opposite order of their start and returns when
// they are gone. It may be called more than once; after Wait has returned.
func (r *Running) Stop() error {
	r.stopOnce.Do(func() {
		if r.cp != nil {
			if r.failure == nil {
				r.state.Phase = phaseStopping
				_ = r.run.write(r.state) // nothing but status goes by it
			}
			r.stopErr = r.cp.Stop()
		}
		if r.failure != nil {
			r.state.Phase, r.state.Failure, r.state.Processes = phaseFailed, r.failure, nil
			r.stopErr = errors.Join(r.stopErr, r.run.write(r.state))
		} else {
			r.stopErr = errors.Join(r.stopErr, r.run.forget())
		}
		_ = r.lock.Unlock() // the end of the process does that, too
	})
	return r.stopErr
}
