package main

import (
	"path"
	"slices"

	"github.com/spf13/cobra"

	"github.com/pkictl/pkictl/csr"
	"github.com/pkictl/pkictl/internal/failure"
)

func (a *app) csrApproveCmd() *cobra.Command {
	f := decideFlags{approve: true}
	cmd := &cobra.Command{
		Use:   "approve NAME... | --all",
		Short: "Approve requests, after showing what they would allow",
		Long: `Show what certificate signing requests would let their holders do, as
"pkictl csr review" does, ask, and approve them.

There may be a reason not to approve one without having understood it (see
"pkictl csr review --help"). Where one such request is named, the question shows
it; among several, and with --yes, it is left out, unless --allow-dangerous is
given: nobody reads a list of a hundred as carefully as one. With several, each
is approved or not by itself, and the command fails if one was not. --dry-run
has the API server check the approval, as with --yes, and keep nothing; the
recipe of --all --explain leaves out the same, and says so.

What is approved is what was shown: a request that was deleted and made anew
under the same name in between is left alone.

--matching takes a pattern for the name of the object or the common name: * is
any text without a slash, ? one character, [a-c] one of these.`,
		Example: `  pkictl csr new colin --group developers
  pkictl csr submit colin.csr --name colin
  pkictl csr approve colin --dry-run
  pkictl csr approve colin --yes
  pkictl csr new celia --group developers
  pkictl csr submit celia.csr --name celia
  pkictl csr approve --all --matching "celia*" --yes`,
	}
	conn := addConnection(cmd)
	f.add(cmd, "`TEXT` that says why, kept in the object")
	flags := cmd.Flags()
	flags.BoolVar(&f.all, "all", false, "all that wait for a decision")
	flags.StringVar(&f.matching, "matching", "", "of all: those whose name or common name matches the `PATTERN`")
	flags.StringVar(&f.signer, "signer", "", "of all: those for the signer of this `NAME`")
	flags.StringVar(&f.group, "group", "", "of all: those who ask for the `GROUP`")
	flags.BoolVar(&f.allowDangerous, "allow-dangerous", false, "approve also what there are reasons against")
	complete(cmd, "signer", csr.SignerNames()...)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		f.names = args
		return a.decide(cmd, conn, f)
	}
	return cmd
}

// checkChoice checks which requests are meant.
func (f *decideFlags) checkChoice(cmd *cobra.Command) error {
	_, bad := path.Match(f.matching, "")
	usage := func(hint, format string, args ...any) error { return failure.New(failure.Usage, hint, format, args...) }
	switch {
	case len(f.names) > 0 && f.all:
		return usage("leave one of them out", "both names and --all are given")
	case len(f.names) == 0 && !f.all && f.approve:
		return usage("name requests, or take --all; see them with: pkictl csr list", "%s needs a name or --all", cmd.CommandPath())
	case len(f.names) == 0 && !f.all:
		return usage("see them with: pkictl csr list", "%s needs a name", cmd.CommandPath())
	case !f.all && (f.matching != "" || f.signer != "" || f.group != ""):
		return usage("add --all", "--matching, --signer and --group choose from --all")
	case bad != nil:
		return usage(`write it like "node-*"`, "--matching %q is not a pattern", f.matching)
	}
	for i, name := range f.names {
		if slices.Contains(f.names[:i], name) {
			return usage("name each once", "certificate signing request %q is named twice", name)
		}
	}
	return nil
}

// takes says whether --all with its filters takes a request.
func (f *decideFlags) takes(r *csr.Review) bool {
	if f.group != "" && !slices.Contains(r.Groups, f.group) {
		return false
	}
	if f.matching == "" {
		return true
	}
	byName, _ := path.Match(f.matching, r.Name) // checked before
	bySubject, _ := path.Match(f.matching, r.CommonName)
	return byName || bySubject
}
