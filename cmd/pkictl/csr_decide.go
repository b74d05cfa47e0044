package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/pkictl/pkictl/csr"
	"github.com/pkictl/pkictl/internal/failure"
	"github.com/pkictl/pkictl/internal/kubeclient"
	"github.com/pkictl/pkictl/internal/shell"
)

// decideFlags are those of csr approve and csr deny.
type decideFlags struct {
	approve                 bool
	names                   []string
	all                     bool
	matching, signer, group string
	message                 string
	yes, allowDangerous     bool
	dryRun, explain         bool
}

func (f *decideFlags) add(cmd *cobra.Command, reason string) {
	flags := cmd.Flags()
	flags.StringVar(&f.message, "reason", "", reason)
	flags.BoolVar(&f.yes, "yes", false, "do not ask")
	flags.BoolVar(&f.dryRun, "dry-run", false, "have the API server check it and keep nothing")
	addKubectlRecipe(cmd, &f.explain)
}

func (f *decideFlags) verb() string {
	if f.approve {
		return "approve"
	}
	return "deny"
}

func (f *decideFlags) decision() csr.Decision {
	message := f.message
	if message == "" {
		message = "approved with pkictl csr approve"
	}
	return csr.Decision{Approve: f.approve, Message: message, DryRun: f.dryRun}
}

// decided is one request and what became of it.
type decided struct {
	Name    string      `json:"name"`
	UID     string      `json:"uid,omitempty"`
	Outcome csr.Outcome `json:"outcome"`
	Error   string      `json:"error,omitempty"`
	Hint    string      `json:"hint,omitempty"`
	Review  *csr.Review `json:"review,omitempty"`

	object *csr.Object
	err    error
}

func (d *decided) end(outcome csr.Outcome, err error) {
	d.Outcome, d.err = outcome, err
	if err != nil {
		d.Error, d.Hint = err.Error(), failure.HintOf(err)
	}
}

type decisionsResult struct {
	typeMeta
	DryRun bool       `json:"dryRun,omitempty"`
	Items  []*decided `json:"items"`
}

// decide approves or denies requests.
func (a *app) decide(cmd *cobra.Command, conn *connection, f decideFlags) error {
	ctx := cmd.Context()
	if err := f.checkChoice(cmd); err != nil {
		return err
	}
	if f.explain && !f.all {
		return a.explain(csr.ExplainDecision(f.decision(), f.names, conn.kubectl()), nil)
	}
	client, err := a.connect(conn)
	if err != nil {
		return err
	}
	items, err := a.gather(ctx, client, f)
	if err != nil {
		return err
	}
	if err := a.review(ctx, client, f, items); err != nil {
		return err
	}
	f.refuseDangerous(items)
	if f.explain {
		return a.explain(f.recipe(items, conn.kubectl()), nil)
	}
	asked := false
	if waiting := undecided(items); len(waiting) > 0 && !f.yes && !f.dryRun {
		asked = true
		if err := a.askToDecide(ctx, f, items, waiting); err != nil {
			return err
		}
	}
	if err := a.carryOut(ctx, client, f, items); err != nil {
		return err
	}
	return a.printDecided(f, items, asked)
}

// recipe decides what would be decided without a question, and says what not.
func (f *decideFlags) recipe(items []*decided, kubectl string) string {
	var names []string
	for _, item := range undecided(items) {
		names = append(names, item.Name)
	}
	text := csr.ExplainDecision(f.decision(), names, kubectl)
	for _, item := range items {
		if item.err != nil {
			text += "# left out: " + oneLine(item.Error) + "\n"
		}
	}
	return text
}

// gather reads the requests that are meant. One of several that cannot be read
// does not stop the others.
func (a *app) gather(ctx context.Context, client *kubeclient.Client, f decideFlags) ([]*decided, error) {
	items := []*decided{}
	if f.all {
		objects, err := csr.List(ctx, client, csr.ListOptions{State: csr.StatePending, Signer: f.signer})
		for i := range objects {
			if object := &objects[i]; f.takes(csr.Decode(object)) {
				items = append(items, &decided{Name: object.Name, UID: string(object.UID), object: object})
			}
		}
		return items, err
	}
	for _, name := range f.names {
		item := &decided{Name: name}
		object, err := csr.Get(ctx, client, name)
		var ended *csr.EndedError
		switch {
		case err == nil:
			item.object, item.UID = object, string(object.UID)
		case ctx.Err() != nil:
			return nil, ctx.Err()
		case errors.As(err, &ended):
			item.end(csr.Gone, err)
		case failure.KindOf(err) == failure.Refused:
			item.end(csr.NotAllowed, err)
		default:
			item.end(csr.NotDone, err)
		}
		items = append(items, item)
	}
	return items, nil
}

// review reviews what is to be decided; to deny, nobody needs to know what it
// would allow.
func (a *app) review(ctx context.Context, client *kubeclient.Client, f decideFlags, items []*decided) error {
	steps := a.newSteps()
	defer steps.clear()
	reviewer := csr.NewReviewer(client)
	for i, item := range undecided(items) {
		if outcome, err := f.decision().Settled(item.object); outcome != "" {
			item.Review = csr.Decode(item.object)
			item.end(outcome, err)
			continue
		}
		if !f.approve {
			item.Review = csr.Decode(item.object)
			continue
		}
		steps.begin("reviewing %s (%d of %d)", printable(item.Name), i+1, len(items))
		var err error
		if item.Review, err = reviewer.Review(ctx, item.object); err != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			item.end(csr.NotDone, fmt.Errorf("cannot review certificate signing request %q: %w", item.Name, err))
		}
	}
	return nil
}

// undecided returns the items that are still to be decided.
func undecided(items []*decided) []*decided {
	var list []*decided
	for _, item := range items {
		if item.Outcome == "" {
			list = append(list, item)
		}
	}
	return list
}

// refuseDangerous takes out what should not be approved unseen. A single request
// is shown with the question.
func (f *decideFlags) refuseDangerous(items []*decided) {
	if !f.approve || f.allowDangerous || len(items) == 1 && !f.yes && !f.dryRun && !f.explain {
		return
	}
	for _, item := range undecided(items) {
		if len(item.Review.Concerns) == 0 {
			continue
		}
		more := ""
		if n := len(item.Review.Concerns) - 1; n > 0 {
			more = fmt.Sprintf(" (and %d more reasons)", n)
		}
		item.end(csr.NotAllowed, failure.New(failure.Refused,
			"see: pkictl csr review "+shell.Quote(item.Name)+"; then approve it by name on a terminal, or add --allow-dangerous",
			"certificate signing request %q is not approved without being looked at: %s%s", item.Name, item.Review.Concerns[0], more))
	}
}

// askToDecide shows what is about to happen, and asks.
func (a *app) askToDecide(ctx context.Context, f decideFlags, items, waiting []*decided) error {
	question := fmt.Sprintf("%s %d certificate signing requests?", capital(f.verb()), len(waiting))
	if len(waiting) == 1 {
		question = capital(f.verb()) + " " + printable(waiting[0].Name) + "?"
	}
	return a.ask(ctx, func(w io.Writer) {
		if len(items) == 1 && f.approve {
			a.printReview(w, items[0].Review)
			return
		}
		for _, item := range items {
			if item.err != nil {
				fmt.Fprintf(w, "left out: %s\n", oneLine(item.Error))
			}
		}
		printShort(w, f, waiting)
		if f.approve {
			fmt.Fprintln(w, notTakenBack)
		}
	}, question)
}

// printShort shows a line for each request.
func printShort(w io.Writer, f decideFlags, items []*decided) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, item := range items {
		r := item.Review
		line := []string{r.Name, "for " + who(r.CommonName, r.Groups), "asked by " + oneName(r.AskedBy.Username), r.Signer}
		if f.approve {
			line = append(line, verdict(r))
		}
		for i := range line {
			line[i] = printable(line[i])
		}
		fmt.Fprintf(t, "  %s\n", strings.Join(line, "\t"))
	}
	_ = t.Flush() // w is a buffer or standard error
}

// verdict says in a few words what a request would allow.
func verdict(r *csr.Review) string {
	switch {
	case len(r.Concerns) > 0:
		return "CONCERN: " + r.Concerns[0]
	case r.LogsIn == csr.LogsNoneIn:
		return "logs nobody in"
	case r.User == nil || r.User.Access == nil:
		return "not known what it allows"
	}
	return r.User.Access.Short()
}

func capital(word string) string { return strings.ToUpper(word[:1]) + word[1:] }

// carryOut decides what is left, one after the other, whatever becomes of each.
func (a *app) carryOut(ctx context.Context, client *kubeclient.Client, f decideFlags, items []*decided) error {
	for _, item := range undecided(items) {
		_, outcome, err := csr.Decide(ctx, client, item.object, f.decision())
		if err != nil && ctx.Err() != nil {
			return ctx.Err()
		}
		item.end(outcome, err)
	}
	return nil
}

// printDecided prints what became of each, and returns the error of a single
// one, or one for all.
func (a *app) printDecided(f decideFlags, items []*decided, asked bool) error {
	var failed []*decided
	for _, item := range items {
		if item.err != nil {
			failed = append(failed, item)
		}
	}
	if len(items) == 1 && len(failed) == 1 && a.output == "text" {
		return failed[0].err
	}
	if err := a.print(decisionsResult{kind("CertificateSigningRequestDecisions"), f.dryRun, items}, func(w io.Writer) {
		if len(items) == 0 {
			fmt.Fprintln(w, "There is no request to "+f.verb())
		}
		for _, item := range items {
			printDecision(w, f, item)
		}
		if len(items) == 1 && f.approve && !asked && items[0].Outcome != csr.Already { // otherwise it was shown with the question
			a.printReview(w, items[0].Review)
		}
		if len(items) == 1 && items[0].Outcome == csr.Approved {
			fmt.Fprintf(w, "Next: pkictl csr wait %s\n", shell.Quote(items[0].Name))
		}
	}); err != nil {
		return err
	}
	switch {
	case len(failed) == 0:
		return nil
	case len(items) == 1:
		return failed[0].err
	}
	kind := failure.KindOf(failed[0].err)
	for _, item := range failed {
		if failure.KindOf(item.err) != kind {
			kind = failure.Failed
		}
	}
	return failure.New(kind, "each is reported above with its reason", "%d of %d certificate signing requests: could not %s",
		len(failed), len(items), f.verb())
}

func printDecision(w io.Writer, f decideFlags, item *decided) {
	name := printable(item.Name)
	switch item.Outcome {
	case csr.Approved:
		fmt.Fprintf(w, "Approved %s, for %s\n", name, printable(who(item.Review.CommonName, item.Review.Groups)))
	case csr.Denied:
		fmt.Fprintf(w, "Denied %s, for %s\n", name, printable(who(item.Review.CommonName, item.Review.Groups)))
	case csr.WouldApprove, csr.WouldDeny:
		fmt.Fprintf(w, "Would %s %s, for %s (dry run: nothing was kept)\n", f.verb(), name, printable(who(item.Review.CommonName, item.Review.Groups)))
	case csr.Already:
		fmt.Fprintf(w, "%s was %s before; nothing was changed\n", name, past(f))
	case csr.Meanwhile:
		if item.err == nil {
			fmt.Fprintf(w, "%s was %s by somebody else meanwhile\n", name, past(f))
			return
		}
		fallthrough
	default:
		fmt.Fprintf(w, "NOT %s: %s\n", past(f), oneLine(item.Error))
	}
}

func past(f decideFlags) string {
	if f.approve {
		return "approved"
	}
	return "denied"
}
