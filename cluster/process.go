package cluster

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"time"

	"github.com/pkictl/pkictl/internal/failure"
	"github.com/pkictl/pkictl/internal/shell"
)

// process is a started component.
type process struct {
	name string
	cmd  *exec.Cmd
	done chan struct{} // closed when the process has ended
	err  error         // why it ended; read only after done
}

// startProcess starts a binary with an empty environment and its output going
// to a new log file. Empty, because etcd takes every ETCD_ variable for a flag
// and a proxy variable would lead requests for 127.0.0.1 astray.
func startProcess(c component, logPath string) (*process, error) {
	log, err := os.OpenFile(logPath, os.O_CREATE|os.O_TRUNC|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("log of %s: %w", c.name, err)
	}
	defer func() { _ = log.Close() }() // the process has its own descriptor

	cmd := exec.Command(c.binary, c.args...)
	cmd.Env = []string{}
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = childAttributes()

	p := &process{name: c.name, cmd: cmd, done: make(chan struct{})}
	started := make(chan error)
	go p.run(started)
	if err := <-started; errors.Is(err, syscall.ENOEXEC) {
		return nil, failure.Wrap(err, failure.Failed, fmt.Sprintf("see whether it is whole, and for %s/%s, with: file %s", runtime.GOOS, runtime.GOARCH, shell.Quote(c.binary)),
			"starting %s", c.name)
	} else if err != nil {
		return nil, fmt.Errorf("starting %s: %w", c.name, err)
	}
	return p, nil
}

// run starts the process and waits for its end, all on one thread. On Linux
// the kernel ties the parent-death signal to the thread that forked, not to
// the process: were the goroutine free to move, Go could end that thread and
// the kernel would kill a healthy component (golang.org/issue/27505).
func (p *process) run(started chan<- error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	err := p.cmd.Start()
	started <- err
	if err != nil {
		return
	}
	p.err = p.cmd.Wait()
	close(p.done)
}

// stop asks the process to end, kills it when it has not done so after the
// grace time, and returns when it is gone.
func (p *process) stop(grace time.Duration) error {
	// Windows knows no SIGTERM; the error is the cue to kill at once.
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err == nil {
		select {
		case <-p.done:
			return nil
		case <-time.After(grace):
		}
	}
	if err := p.cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("killing %s (process %d): %w", p.name, p.cmd.Process.Pid, err)
	}
	<-p.done
	return nil
}

// ended says whether the process has ended.
func (p *process) ended() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}
