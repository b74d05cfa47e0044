package cluster

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/pkictl/pkictl/internal/staticpod"
)

const (
	// startTimeout bounds a start whose context has no deadline. A start takes
	// about 4 s on a small idle machine.
	startTimeout = 2 * time.Minute

	// stopGrace is the time between SIGTERM and SIGKILL, for each component.
	stopGrace = 10 * time.Second

	probeInterval = 50 * time.Millisecond
)

// ControlPlane is a running control plane.
type ControlPlane struct {
	cfg       Config
	ports     Ports
	processes []*process // in the order of starting

	died     chan struct{} // closed at the first end of a process
	dead     *process      // the one that ended; read only after died
	diedOnce sync.Once

	stopping chan struct{} // closed when Stop begins
	stopOnce sync.Once
	stopErr  error
}

// ComponentError says that a component ended, or did not become ready.
type ComponentError struct {
	Component string
	Err       error
	Log       string   // path of the log file
	Tail      []string // its last lines
}

// Error names the component and the reason, and then quotes the log.
func (e *ComponentError) Error() string {
	return fmt.Sprintf("%s %v; %v", e.Component, e.Err, staticpod.Log{Path: e.Log, Lines: e.Tail})
}

// Unwrap returns the reason.
func (e *ComponentError) Unwrap() error { return e.Err }

// Start starts the control plane and returns when it is ready. ctx bounds the
// start only; what was started then runs until Stop. When Start fails it has
// stopped everything that it had started.
func Start(ctx context.Context, cfg Config) (*ControlPlane, error) {
	cp, err := startOnce(ctx, cfg)
	var port *PortError
	if errors.As(err, &port) && port.Chosen {
		// Someone took the port between our choosing it and the component's
		// listening on it. A second choice is enough in practice.
		cp, err = startOnce(ctx, cfg)
	}
	return cp, err
}

func startOnce(ctx context.Context, cfg Config) (*ControlPlane, error) {
	if err := cfg.check(); err != nil {
		return nil, err
	}
	ports, err := cfg.Ports.filled()
	if err != nil {
		return nil, err
	}
	list, err := components(cfg, ports)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(cfg.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("data directory: %w", err)
	}

	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	cp := &ControlPlane{cfg: cfg, ports: ports, died: make(chan struct{}), stopping: make(chan struct{})}
	for _, c := range list {
		if err := cp.start(ctx, c); err != nil {
			return nil, errors.Join(err, cp.Stop())
		}
	}
	return cp, nil
}

// start starts one component and waits until it is ready.
func (cp *ControlPlane) start(ctx context.Context, c component) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("starting %s: %w", c.name, err)
	}
	// Asked before, not only after a failure: another control plane with the
	// same PKI on this port would answer the readiness probe in our stead.
	if err := cp.checkPorts(c); err != nil {
		return err
	}
	cp.cfg.begin("starting %s on port %d", c.name, c.ports[0])
	p, err := startProcess(c, cp.cfg.logPath(c.name))
	if err != nil {
		return err
	}
	cp.processes = append(cp.processes, p)
	go cp.watch(p)
	if cp.cfg.started != nil {
		if err := cp.cfg.started(c.name, c.ports[0], p.cmd.Process.Pid); err != nil {
			return err
		}
	}

	err = cp.await(ctx, c)
	if err != nil && p.ended() {
		// A port lost in a race explains the end better than the log does.
		if portErr := cp.checkPorts(c); portErr != nil {
			return portErr
		}
	}
	if err == nil {
		cp.cfg.done("%s is ready on port %d", c.name, c.ports[0])
	}
	return err
}

func (cp *ControlPlane) checkPorts(c component) error {
	for _, port := range c.ports {
		if err := checkPort(port); err != nil {
			return &PortError{Component: c.name, Port: port, Chosen: !cp.cfg.Ports.has(port), Err: err}
		}
	}
	return nil
}

// watch notes the first process that ends.
func (cp *ControlPlane) watch(p *process) {
	<-p.done
	cp.diedOnce.Do(func() {
		cp.dead = p
		close(cp.died)
	})
}

// await returns when the component is ready, when it never will be, when any
// component has ended, or when the context is done, whichever is first.
func (cp *ControlPlane) await(ctx context.Context, c component) error {
	// A question ends with the process: whoever has its port now may never answer.
	asking, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		select {
		case <-cp.died:
			cancel()
		case <-asking.Done():
		}
	}()
	var refusal error // the last one; a question cut short by ctx is none
	for {
		answer := c.ready(asking)
		select {
		case <-cp.died: // before the answer, which could be another process's
			return cp.deathError()
		default:
		}
		if answer == nil {
			return nil
		}
		if staticpod.Permanent(answer) {
			return cp.componentError(c.name, fmt.Errorf("cannot become ready: %w", answer))
		}
		if refusal == nil || ctx.Err() == nil {
			refusal = answer
		}
		select {
		case <-cp.died:
			return cp.deathError()
		case <-ctx.Done():
			return cp.componentError(c.name, fmt.Errorf("is not ready: %w (last answer: %w)", ctx.Err(), refusal))
		case <-time.After(probeInterval):
		}
	}
}

// deathError describes the end of the process that ended first.
func (cp *ControlPlane) deathError() error {
	reason := errors.New("ended (exit status 0)")
	if cp.dead.err != nil {
		reason = fmt.Errorf("ended: %w", cp.dead.err)
	}
	return cp.componentError(cp.dead.name, reason)
}

func (cp *ControlPlane) componentError(name string, reason error) error {
	path := cp.Logs(name)
	return &ComponentError{Component: name, Err: reason, Log: path, Tail: staticpod.Tail(path)}
}

// URL is the API server's base URL.
func (cp *ControlPlane) URL() string { return httpsURL(cp.ports.APIServer) }

// Ports are the ports in use.
func (cp *ControlPlane) Ports() Ports { return cp.ports }

// Logs is the path of a component's log file.
func (cp *ControlPlane) Logs(component string) string { return cp.cfg.logPath(component) }

// Wait blocks until ctx is done or Stop is called, and returns nil; or until a
// component ends by itself, and returns a ComponentError. It does not stop the
// others: call Stop in any case.
func (cp *ControlPlane) Wait(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return nil
	case <-cp.stopping:
		return nil
	case <-cp.died:
	}
	select {
	case <-cp.stopping: // it ended because it was told to
		return nil
	default:
		return cp.deathError()
	}
}

// Stop ends the processes in the opposite order of their start, with SIGTERM
// and after a grace time with SIGKILL, and returns when they are gone. It may
// be called more than once and from several goroutines.
func (cp *ControlPlane) Stop() error {
	cp.stopOnce.Do(func() {
		close(cp.stopping)
		for i := len(cp.processes) - 1; i >= 0; i-- {
			p := cp.processes[i]
			cp.cfg.begin("stopping %s", p.name)
			cp.stopErr = errors.Join(cp.stopErr, p.stop(stopGrace))
			cp.cfg.done("%s is stopped", p.name)
		}
	})
	return cp.stopErr
}
