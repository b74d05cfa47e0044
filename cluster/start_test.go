//go:build unix

// The stand-ins for binaries are shell scripts.

package cluster

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/pkictl/pkictl/internal/staticpod"
)

// testConfig is a configuration with a PKI and, for both binaries, a script.
func testConfig(t *testing.T, script string) Config {
	t.Helper()
	dir := t.TempDir()
	testPKI(t, filepath.Join(dir, "pki"))
	binary := testScript(t, script)
	return Config{
		PKI:    filepath.Join(dir, "pki"),
		Dir:    filepath.Join(dir, "run"),
		Assets: Assets{Etcd: binary, APIServer: binary},
	}
}

func testScript(t *testing.T, script string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "script")
	// A process forked while the file is open for writing would inherit the
	// descriptor, and running the script would fail with ETXTBSY.
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+script+"\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	return path
}

// mustFail starts a control plane that cannot come up, and returns the error.
func mustFail(t *testing.T, ctx context.Context, cfg Config) error {
	t.Helper()
	cp, err := Start(ctx, cfg)
	if err == nil {
		_ = cp.Stop()
		t.Fatal("the control plane started")
	}
	return err
}

func TestStartRefusesBadConfig(t *testing.T) {
	t.Parallel()
	good := testConfig(t, "exit 1")
	for _, tt := range []struct {
		name   string
		change func(*Config)
		want   string
	}{
		{"no directories", func(c *Config) { c.PKI = "" }, "must both be given"},
		{"unknown component", func(c *Config) { c.ExtraArgs = map[string][]string{"apiserver": nil} }, `"apiserver"`},
		{"PKI not there", func(c *Config) { c.PKI = "nowhere" }, filepath.Join("nowhere", "ca.crt")},
		{"no controller manager", func(c *Config) { c.ControllerManagerKubeconfig = "f" }, "kube-controller-manager not found"},
		{"kubeconfig without port", func(c *Config) {
			c.ControllerManagerKubeconfig, c.Assets.ControllerManager = "f", "f"
		}, "port of kube-apiserver"},
		{"kubeconfig not there", func(c *Config) {
			c.ControllerManagerKubeconfig, c.Assets.ControllerManager, c.Ports.APIServer = "nowhere", "f", 1
		}, "nowhere"},
		{"binary not there", func(c *Config) { c.Assets.Etcd = "/nowhere/etcd" }, "/nowhere/etcd"},
		{"binary not given", func(c *Config) { c.Assets = Assets{} }, "etcd"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			cfg := good
			cfg.Dir = t.TempDir()
			tt.change(&cfg)
			if err := mustFail(t, t.Context(), cfg); !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %q does not name %q", err, tt.want)
			}
		})
	}
}

func TestStartReportsProcessThatExits(t *testing.T) {
	t.Parallel()
	cfg := testConfig(t, `i=1; while [ $i -le 30 ]; do echo "line $i." >&2; i=$((i+1)); done; printf 'red \033[31m\n'; exit 3`)
	began := time.Now()
	err := mustFail(t, t.Context(), cfg)
	if took := time.Since(began); took > startTimeout/4 {
		t.Errorf("it took %v to notice", took)
	}
	var failed *ComponentError
	if !errors.As(err, &failed) {
		t.Fatalf("%T: %v", err, err)
	}
	if failed.Component != ComponentEtcd || failed.Log != filepath.Join(cfg.Dir, "etcd.log") || len(failed.Tail) != staticpod.TailLines {
		t.Errorf("component %q, log %q, %d lines", failed.Component, failed.Log, len(failed.Tail))
	}
	for _, want := range []string{"etcd ended: exit status 3", "line 30.", `red \x1b[31m`} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("error does not have %q:\n%v", want, err)
		}
	}
	if strings.Contains(err.Error(), "line 1.") {
		t.Errorf("error has the whole log:\n%v", err)
	}
}

func TestStartReportsSilentExit(t *testing.T) {
	t.Parallel()
	err := mustFail(t, t.Context(), testConfig(t, "exit 0"))
	if !strings.Contains(err.Error(), "exit status 0") || !strings.Contains(err.Error(), "is empty") {
		t.Error(err)
	}
}

func TestStartNamesTakenPort(t *testing.T) {
	t.Parallel()
	cfg := testConfig(t, "exit 1")
	l, err := net.Listen("tcp4", address(0))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	cfg.Ports.EtcdPeer = l.Addr().(*net.TCPAddr).Port

	var port *PortError
	err = mustFail(t, t.Context(), cfg)
	if !errors.As(err, &port) || !errors.Is(err, syscall.EADDRINUSE) {
		t.Fatalf("%T: %v", err, err)
	}
	if port.Port != cfg.Ports.EtcdPeer || port.Component != ComponentEtcd || port.Chosen {
		t.Errorf("%+v", port)
	}
}

// A port that is lost between the choice and the start is chosen once again.
func TestStartChoosesPortsTwice(t *testing.T) {
	t.Parallel()
	cfg := testConfig(t, "exit 1")
	lost := map[int]bool{}
	cfg.Progress = func(step string, _ bool) {
		var port int
		if n, _ := fmt.Sscanf(step, "starting etcd on port %d", &port); n == 0 {
			return
		}
		l, err := net.Listen("tcp4", address(port))
		if err != nil {
			t.Error(err)
			return
		}
		t.Cleanup(func() { _ = l.Close() })
		lost[port] = true
	}
	var port *PortError
	if err := mustFail(t, t.Context(), cfg); !errors.As(err, &port) || !port.Chosen {
		t.Errorf("%T: %v", err, err)
	}
	if len(lost) != 2 {
		t.Errorf("%d ports were chosen, want 2", len(lost))
	}
}

func TestStartCancelled(t *testing.T) {
	t.Parallel()
	cfg := testConfig(t, "echo $$; exec sleep 60")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go func() {
		defer cancel()
		waitForLog(ctx, cfg.logPath(ComponentEtcd))
	}()
	err := mustFail(t, ctx, cfg)
	if !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "etcd is not ready") {
		t.Errorf("%T: %v", err, err)
	}
	var pid int
	if _, err := fmt.Sscan(strings.Join(staticpod.Tail(cfg.logPath(ComponentEtcd)), " "), &pid); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(pid, 0); !errors.Is(err, syscall.ESRCH) {
		t.Errorf("process %d is still there: %v", pid, err)
	}
}

// waitForLog returns when the log has a line, or ctx is done.
func waitForLog(ctx context.Context, path string) {
	for ctx.Err() == nil && len(staticpod.Tail(path)) == 0 {
		time.Sleep(10 * time.Millisecond)
	}
}

func TestStartCancelledBefore(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	cfg := testConfig(t, "exit 1")
	if err := mustFail(t, ctx, cfg); !errors.Is(err, context.Canceled) {
		t.Errorf("%T: %v", err, err)
	}
	if _, err := os.Stat(cfg.logPath(ComponentEtcd)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("etcd was started: %v", err)
	}
}

func TestStopKillsWhatDoesNotEnd(t *testing.T) {
	t.Parallel()
	log := filepath.Join(t.TempDir(), "log")
	c := component{name: "stubborn", binary: testScript(t, "trap '' TERM; echo deaf; exec sleep 60")}
	p, err := startProcess(c, log)
	if err != nil {
		t.Fatal(err)
	}
	waitForLog(t.Context(), log)
	if err := p.stop(50 * time.Millisecond); err != nil {
		t.Error(err)
	}
	if !p.ended() || p.err == nil || !strings.Contains(p.err.Error(), "killed") {
		t.Errorf("ended %v: %v", p.ended(), p.err)
	}
	if err := p.stop(0); err != nil {
		t.Errorf("stopping what has ended: %v", err)
	}
}
