package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/pkictl/pkictl/csr"
	"github.com/pkictl/pkictl/internal/failure"
	"github.com/pkictl/pkictl/internal/kubeclient"
	"github.com/pkictl/pkictl/internal/store"
)

type csrWaitFlags struct {
	goal    string
	timeout time.Duration
	out     string
	force   bool
}

// add adds the flags; when says with which other flag they count.
func (f *csrWaitFlags) add(cmd *cobra.Command, when string) {
	flags := cmd.Flags()
	flags.StringVar(&f.goal, "for", string(csr.StateIssued), when+"`STATE` to wait for: issued or approved")
	flags.DurationVar(&f.timeout, "timeout", csr.DefaultTimeout, when+"`TIME` to wait at most")
	flags.StringVar(&f.out, "out", "", when+"write the certificate to this `FILE`")
	flags.BoolVar(&f.force, "force", false, when+"replace that file")
	complete(cmd, "for", string(csr.StateIssued), string(csr.StateApproved))
}

func (f *csrWaitFlags) check(names int) error {
	switch {
	case f.goal != string(csr.StateIssued) && f.goal != string(csr.StateApproved):
		return failure.New(failure.Usage, "choose issued or approved", "%q cannot be waited for", f.goal)
	case f.timeout <= 0:
		return failure.New(failure.Usage, "write it like 5m", "--timeout %s is not a time to wait", f.timeout)
	case f.out != "" && names > 1:
		return failure.New(failure.Usage, "wait for one at a time, or take the certificates from -o json", "--out is for one certificate, not for %d", names)
	case f.out != "" && f.goal == string(csr.StateApproved):
		return failure.New(failure.Usage, "leave one of them out", "--out needs a certificate, which --for approved does not wait for")
	case f.force && f.out == "":
		return failure.New(failure.Usage, "add --out FILE, or leave it out", "--force is for a file that exists")
	}
	return nil
}

// checkTarget says no before it waits.
func (f *csrWaitFlags) checkTarget() error {
	if f.out == "" {
		return nil
	}
	return outExists(store.CheckTargets(f.force, f.out))
}

func outExists(err error) error {
	var there *store.ExistsError
	if !errors.As(err, &there) {
		return err
	}
	return failure.New(failure.Failed, "replace it with --force, or choose another name with --out", "%q exists", there.Path)
}

// save writes the certificate where it was asked for.
func (f *csrWaitFlags) save(object *csr.Object) error {
	switch {
	case f.out == "":
		return nil
	case f.force:
		return store.WriteFile(f.out, object.Status.Certificate, 0o644)
	}
	return outExists(store.WriteNew(f.out, object.Status.Certificate, 0o644))
}

func (a *app) csrWaitCmd() *cobra.Command {
	var f csrWaitFlags
	var explain bool
	var conn *connection
	cmd := &cobra.Command{
		Use:   "wait NAME...",
		Short: "Wait until requests are approved and signed",
		Long: `Wait until certificate signing requests are approved and signed, and write the
certificate to a file. It follows them by a watch; when the API server restarts
or the connection breaks, it connects again and goes on.

What ends it, with the exit code:
  issued (or approved, with --for approved)    0
  denied                                       4, with the reason
  failed by the signer, as for wrong usages    1, with the reason
  deleted, or never there                      1
  timeout                                      1, with the present state

Requests are deleted by the cluster an hour after they were issued, denied or
failed, and after a day while nobody decides.`,
		Example: `  pkictl csr new cindy --group developers
  pkictl csr submit cindy.csr --name cindy
  pkictl csr approve cindy --yes
  pkictl csr wait cindy --timeout 1m --out cindy.crt`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := f.check(len(args)); err != nil {
				return err
			}
			if explain {
				return a.explain(f.explain(args, conn.kubectl()), nil)
			}
			return a.csrWait(cmd, args, conn, f)
		},
	}
	f.add(cmd, "")
	addKubectlRecipe(cmd, &explain)
	conn = addConnection(cmd)
	return cmd
}

func (f *csrWaitFlags) explain(names []string, kubectl string) string {
	return csr.ExplainWait(names, csr.State(f.goal), f.timeout, f.out, kubectl)
}

type csrListResult struct {
	typeMeta
	Items []csrResult `json:"items"`
}

func (a *app) csrWait(cmd *cobra.Command, names []string, conn *connection, f csrWaitFlags) error {
	if err := f.checkTarget(); err != nil {
		return err
	}
	client, err := a.connect(conn)
	if err != nil {
		return err
	}
	waited := a.startWaits(cmd, client, names, f, a.newSteps()).run()
	result := csrListResult{typeMeta: kind("CertificateSigningRequestList"), Items: []csrResult{}}
	var failed []error
	for _, one := range waited {
		if one.err == nil {
			one.err = f.save(one.object)
		}
		if one.err != nil {
			failed = append(failed, one.err)
			continue
		}
		r := newCSRResult(one.object)
		r.CertificateFile = f.out
		result.Items = append(result.Items, r)
	}
	if len(names) == 1 && failed != nil {
		return failed[0]
	}
	if err := a.print(result, func(w io.Writer) { a.printWaited(w, result.Items) }); err != nil {
		return err
	}
	return a.severalFailed(failed, len(names), "did not come to it")
}

func (a *app) printWaited(w io.Writer, items []csrResult) {
	for _, r := range items {
		state := string(r.State)
		fmt.Fprintln(w, strings.ToUpper(state[:1])+state[1:]+" "+printable(r.Name))
		a.printCSR(w, r)
	}
}

// severalFailed prints the errors of those that failed of several, and returns
// one for all, of kind Refused where each is.
func (a *app) severalFailed(failed []error, of int, what string) error {
	if len(failed) == 0 {
		return nil
	}
	worst := failure.Refused
	for _, err := range failed {
		a.printError(err)
		if failure.KindOf(err) != failure.Refused {
			worst = failure.Failed
		}
	}
	return failure.New(worst, "see above", "%d of %d certificate signing requests %s", len(failed), of, what)
}

// waits are several waits at once.
type waits struct {
	a      *app
	ctx    context.Context
	client *kubeclient.Client
	names  []string
	flags  csrWaitFlags
	known  map[string]*csr.Object // as they were last seen
	mu     sync.Mutex             // of steps
	steps  *steps
}

type waited struct {
	object *csr.Object
	err    error
}

func (a *app) startWaits(cmd *cobra.Command, client *kubeclient.Client, names []string, f csrWaitFlags, s *steps) *waits {
	return &waits{a: a, ctx: cmd.Context(), client: client, names: names, flags: f, steps: s}
}

// run waits for all, and returns their results in the order of the names.
func (w *waits) run() []waited {
	w.show()
	results := make([]waited, len(w.names))
	var group sync.WaitGroup
	for i, name := range w.names {
		group.Go(func() {
			object, err := csr.Wait(w.ctx, w.client, name, "", csr.WaitOptions{
				For: csr.State(w.flags.goal), Timeout: w.flags.timeout, Known: w.known[name], Notify: w.notify,
			})
			if w.ctx.Err() != nil && errors.Is(err, context.Canceled) {
				err = failure.New(failure.Failed, "wait again with: pkictl csr wait "+name, "interrupted while waiting for certificate signing request %q", name)
			}
			results[i] = waited{object, err}
		})
	}
	group.Wait()
	w.steps.clear()
	return results
}

func (w *waits) show() {
	what := printable(w.names[0])
	if len(w.names) > 1 {
		what = fmt.Sprintf("%d certificate signing requests", len(w.names))
	}
	w.steps.begin("waiting for %s to be %s", what, w.flags.goal)
}

func (w *waits) notify(message string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.steps.clear()
	w.a.warn(message)
	w.show()
}
