package main

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/spf13/cobra"

	"github.com/pkictl/pkictl/ca"
	"github.com/pkictl/pkictl/csr"
	"github.com/pkictl/pkictl/internal/shell"
)

// notTakenBack is said wherever somebody decides.
const notTakenBack = "A certificate cannot be taken back: API servers read no revocation list. It works until it ends."

func (a *app) csrReviewCmd() *cobra.Command {
	var explain bool
	cmd := &cobra.Command{
		Use:   "review NAME",
		Short: "Show what a request asks for and what it would allow",
		Long: `Decode a certificate signing request and say what its certificate would let its
holder do, dangers first. The API server is asked by impersonating the subject;
where that is not allowed, the bindings and roles are read instead, and where
that is not allowed either, it says that it cannot know. Nothing is changed.

Exit code 3: there is a reason not to approve it without having understood it.
These are the same for which "pkictl csr approve --yes" refuses:
  - it would lead to the whole cluster, which reading secrets or running pods in
    all namespaces or in kube-system does, too
  - it is not known what it would allow, here or in other namespaces
  - somebody asks to be somebody else, or for groups that they are not in, and
    could not have approved that; a bootstrap token may ask for a new node
  - a kubelet asks to serve under names that are not those of its node, or are
    those of the API server
  - a name that Kubernetes keeps for its own parts
  - a rule of the signer that it breaks
Dangers within a namespace are shown, and no reason.`,
		Example: `  pkictl csr new cora --group developers
  pkictl csr submit cora.csr --name cora
  pkictl csr review cora
  pkictl csr review cora -o yaml`,
		Args: cobra.ExactArgs(1),
	}
	conn := addConnection(cmd)
	addKubectlRecipe(cmd, &explain)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		client, err := a.connect(conn)
		if err != nil {
			return err
		}
		object, err := csr.Get(cmd.Context(), client, args[0])
		if err != nil {
			return err
		}
		if explain {
			return a.explain(csr.ExplainReview(csr.Decode(object), conn.kubectl()), nil)
		}
		steps := a.newSteps()
		steps.begin("asking what %s would allow", printable(object.Name))
		review, err := csr.ReviewOf(cmd.Context(), client, object)
		steps.clear()
		if err != nil {
			return err
		}
		return a.printReviewed(review)
	}
	return cmd
}

type reviewResult struct {
	typeMeta
	*csr.Review
}

func (a *app) printReviewed(r *csr.Review) error {
	err := a.print(reviewResult{kind("CertificateSigningRequestReview"), r}, func(w io.Writer) {
		a.printReview(w, r)
		if r.State == csr.StatePending {
			fmt.Fprintf(w, "Next: pkictl csr approve %s, or pkictl csr deny %s --reason TEXT\n", shell.Quote(r.Name), shell.Quote(r.Name))
		}
	})
	if err == nil && len(r.Concerns) > 0 {
		err = errFound
	}
	return err
}

// printReview shows all of a review.
func (a *app) printReview(w io.Writer, r *csr.Review) {
	fmt.Fprintf(w, "Certificate signing request %s: %s\n", printable(r.Name), a.stateOf(r))
	for _, concern := range r.Concerns {
		fmt.Fprintf(w, "  CONCERN: %s\n", printable(concern))
	}
	printRows(w, "  ", a.reviewRows(r)...)
	switch {
	case r.LogsIn == csr.LogsNoneIn:
		fmt.Fprintln(w, "What it would allow: nobody logs in to the API server with a certificate of this signer.")
		return
	case r.User == nil:
		fmt.Fprintln(w, "What it would allow: nothing, as it names nobody.")
		return
	case r.LogsIn == csr.LogsInIf:
		fmt.Fprintln(w, "What it would allow, if the API server trusts this signer's CA for clients (--client-ca-file), which it does not unless somebody set that:")
	default:
		fmt.Fprintln(w, "What it would allow:")
	}
	if r.User.Access == nil {
		fmt.Fprintf(w, "  not known: %s\n", printable(r.User.Unknown))
	} else {
		printAccess(w, "  ", r.User.Access)
		fmt.Fprintf(w, "  known from %s\n", r.User.Access.Source)
	}
	if r.State == csr.StatePending {
		fmt.Fprintln(w, notTakenBack)
	}
}

// stateOf says what has become of a request, its age, and when it goes.
func (a *app) stateOf(r *csr.Review) string {
	text := string(r.State)
	if r.Why != "" {
		text += " (" + printable(r.Why) + ")"
	}
	text += ", " + ca.FormatValidity(max(a.now().Sub(r.Created).Truncate(time.Second), time.Second)) + " old"
	if r.Collected != nil {
		text += ", kept until " + ends(*r.Collected, a.now())
	}
	return text
}

func (a *app) reviewRows(r *csr.Review) []row {
	asked := who(r.AskedBy.Username, r.AskedBy.Groups)
	if r.ForOther && r.CommonName != "" {
		asked += ": for another name than their own"
	}
	names := ""
	if r.CommonName != "" || len(r.Groups) > 0 {
		names = who(r.CommonName, r.Groups)
	}
	signature := "signature valid, " + r.Signature
	if !r.SignatureGood {
		signature = "SIGNATURE NOT VALID, " + r.Signature
	}
	rows := []row{
		{"would be", names},
		{"subject", r.Subject},
		{"names", strings.Join(r.SANs, ", ")},
		{"asked by", asked},
		{"signer", r.Signer + ": signed by " + r.SignedBy},
		{"lifetime", lifetime(r.Lifetime)},
		{"usages", strings.Join(r.Usages, ", ")},
		{"key", r.Key + ", " + signature},
	}
	if r.User != nil {
		rows = append(rows, row{"bindings", bindings(r.User.Bindings)})
	}
	return rows
}

func lifetime(l csr.Lifetime) string {
	asked := "nothing asked for"
	if l.Requested > 0 {
		asked = ca.FormatValidity(time.Duration(l.Requested)*time.Second) + " asked for"
	}
	if l.NotAfter == nil {
		return asked + "; the limit is " + l.Limit
	}
	return fmt.Sprintf("%s; %s issued, until %s", asked, ca.FormatValidity(time.Duration(l.Issued)*time.Second), utc(*l.NotAfter))
}

// who names a user with their groups. A name that could be read as several is
// quoted.
func who(name string, groups []string) string {
	if name == "" {
		name = "nobody"
	} else {
		name = oneName(name)
	}
	if len(groups) == 0 {
		return name
	}
	quoted := make([]string, len(groups))
	for i, group := range groups {
		quoted[i] = oneName(group)
	}
	return name + ", in " + strings.Join(quoted, ", ")
}

func oneName(name string) string {
	if name == "" || name == "nobody" || strings.ContainsAny(name, `,"`) || strings.ContainsFunc(name, unicode.IsSpace) {
		return strconv.Quote(name)
	}
	return name
}

// shownBindings is how many bindings a line names; the JSON has all.
const shownBindings = 8

func bindings(list []csr.Binding) string {
	if list == nil {
		return "not known: listing them is not allowed"
	}
	if len(list) == 0 {
		return "none"
	}
	var shown []string
	for i, b := range list {
		if i == shownBindings {
			shown = append(shown, fmt.Sprintf("and %d more", len(list)-i))
			break
		}
		where := "in the whole cluster"
		if b.Namespace != "" {
			where = "in " + b.Namespace
		}
		to := b.To
		for _, kind := range []string{"user ", "group "} {
			if name, isKind := strings.CutPrefix(b.To, kind); isKind {
				to = kind + oneName(name)
			}
		}
		shown = append(shown, fmt.Sprintf("%s %s %s, to %s", b.RoleKind, oneName(b.Role), where, to))
	}
	return strings.Join(shown, "; ")
}
