// Command pkictl makes the PKI and the credentials of Kubernetes clusters.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// version is set by the build, from git.
var version = "devel"

func main() {
	keepOwnRights()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // the second Ctrl-C ends it at once, which does no harm
	// One time for all that a command does and prints; certificates know no
	// fractions of a second.
	start := time.Now().Truncate(time.Second)
	a := &app{
		in: os.Stdin, out: os.Stdout, err: os.Stderr, env: os.Getenv,
		now: func() time.Time { return start },
	}
	code := a.run(ctx, os.Args[1:])
	stop()
	os.Exit(code)
}
