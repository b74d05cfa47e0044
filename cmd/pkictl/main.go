// Command pkictl makes the PKI and the credentials of Kubernetes clusters.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"sync/atomic"
	"syscall"
	"time"

	"k8s.io/klog/v2"

	"github.com/pkictl/pkictl/internal/failure"
)

// version is set by the build, from git.
var version = "devel"

// grace is how long a command may take to end once it was told to.
const grace = 3 * time.Second

func main() {
	keepOwnRights()
	// client-go logs to standard error, beside returning, what broke.
	klog.SetLogger(klog.New(nil))
	// One time for all that a command does and prints; certificates know no
	// fractions of a second.
	start := time.Now().Truncate(time.Second)
	var stopsOthers atomic.Bool
	a := &app{
		in: os.Stdin, out: os.Stdout, err: os.Stderr, env: os.Getenv,
		now:         func() time.Time { return start },
		stopsOthers: func() { stopsOthers.Store(true) },
	}
	ctx, stop := signal.NotifyContext(context.Background(), endings()...)
	context.AfterFunc(ctx, func() {
		stop() // the second Ctrl-C ends it at once, which does no harm
		// What waits for a pipe that nobody writes to hears no first one.
		time.AfterFunc(grace, func() {
			if stopsOthers.Load() {
				return
			}
			fmt.Fprintln(os.Stderr, "error: interrupted")
			os.Exit(int(failure.Failed))
		})
	})
	var args []string
	a.display, args = calledAs(os.Args[0], os.Args[1:])
	code := a.run(ctx, args)
	stop()
	os.Exit(code)
}

// endings are the signals that end a command in good order. A terminal that is
// closed is one, unless the command was started to outlive it, as nohup does.
func endings() []os.Signal {
	list := []os.Signal{os.Interrupt, syscall.SIGTERM}
	if !signal.Ignored(syscall.SIGHUP) {
		list = append(list, syscall.SIGHUP)
	}
	return list
}
