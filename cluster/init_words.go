package cluster

import (
	"cmp"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
)

// Words say what happened to an entry, or with a dry run what would.
func (s State) Words(dryRun bool) string {
	would := map[State]string{
		StateMade: "would be made", StateCopied: "would be copied", StateRepaired: "would be repaired",
		StateRequested: "would be requested", StatePlaced: "would be placed",
	}
	if dryRun {
		return cmp.Or(would[s], string(s))
	}
	return string(s)
}

// Remedy says what can be done about the differences of a cluster directory:
// what others rely on comes from a backup alone. What it names is as it is.
func (r *InitResult) Remedy(dir string) string {
	if r.Awaited != nil {
		return "Bring in what CAs elsewhere have signed with: pkictl cluster finish" + DirFlag(dir) + " --certs DIR"
	}
	if path := r.unrepairable(); path != "" {
		return "Restore " + path + " from a backup, or from another node: what others rely on is not replaced."
	}
	return "Add --repair to replace it."
}

// MayRepair says whether Init would replace all that is wrong, if it were told to.
func (r *InitResult) MayRepair() bool {
	return r.Differences != nil && r.Awaited == nil && r.unrepairable() == ""
}

// unrepairable is a file that is wrong and that only a backup brings back.
func (r *InitResult) unrepairable() string {
	for _, d := range r.Differences {
		if entry, _ := EntryNamed(d.Entry); entry.IsShared() && !strings.HasSuffix(d.File, ".pub") {
			return d.File
		}
	}
	return ""
}

// Places say where the directories of the nodes go, a line each. What they name
// is as it is.
func (r *InitResult) Places() []string {
	var lines []string
	for _, node := range r.Nodes {
		line := "On " + node.Node + ": copy " + node.Dir + " to /etc/kubernetes"
		if slices.ContainsFunc(node.Entries, func(e EntryResult) bool { return e.Name == NameSuperAdmin }) {
			line += ", but keep " + filepath.Join(node.Dir, NameSuperAdmin) + " away from it"
		}
		lines = append(lines, line)
	}
	return lines
}

// nothingToSign is for Init with Requests where it made none.
func (r *InitResult) nothingToSign() string {
	for _, node := range r.Nodes {
		for _, entry := range node.Entries {
			if entry.State == StateLater {
				return "Nothing is to be signed elsewhere: the CAs for what is missing are here, or will be."
			}
		}
	}
	return "Nothing is to be signed: every key has its certificate."
}

// RequestLines say, for Init with o.Requests, which CA has to sign which request,
// and how. What they name is as it is.
func (r *InitResult) RequestLines(o InitOptions) []string {
	requests := map[string][]string{}
	for _, node := range r.Nodes {
		for _, entry := range node.Entries {
			if entry.Request != "" {
				requests[entry.CA] = append(requests[entry.CA], entry.Request)
			}
		}
	}
	if len(requests) == 0 {
		return []string{"", r.nothingToSign()}
	}
	if o.DryRun {
		return nil
	}
	var lines []string
	for _, authority := range []string{"", NameCA, NameFrontProxyCA, NameEtcdCA} {
		if requests[authority] == nil {
			continue
		}
		head := "To be signed by a root CA, as CAs of path length 0:"
		if entry, is := EntryNamed(authority); is {
			head = "To be signed by the CA " + authority + ", which " + entry.Purpose + ":"
		}
		lines = append(lines, "", head)
		for _, path := range requests[authority] {
			lines = append(lines, "  "+path)
		}
	}
	lines = append(lines, "")
	days := 365
	if o.Requests == RequestCAs {
		days = 5 * 365
	} else {
		lines = append(lines, "These are three CAs, each with a key of its own.")
	}
	lines = append(lines, "With openssl 3, where the CA is:",
		fmt.Sprintf("  openssl x509 -req -in FILE.csr -CA ca.crt -CAkey ca.key -copy_extensions copyall -days %d -out FILE.crt", days),
		"Then put those certificates and the CAs' own into a directory, whatever they are called there:",
		"  pkictl cluster finish"+DirFlag(o.Dir)+" --certs DIR")
	return append(lines, r.knownCAs(o)...)
}

// knownCAs say how Finish takes no other CAs than those that are known: it has
// nothing else to tell them from a stranger's.
func (r *InitResult) knownCAs(o InitOptions) []string {
	state, suffix, what := StateElsewhere, ".crt", "certificate of such a CA"
	if o.Requests == RequestCAs {
		state, suffix, what = StateRequested, "-chain.crt", "root above such a CA"
	}
	var paths []string
	for _, entry := range r.Nodes[0].Entries {
		isCA := entry.CA == "" && entry.Name != NameSA
		if isCA && (entry.State == state || (state == StateRequested && entry.State == StateAwaited)) {
			paths = append(paths, "  "+strings.TrimSuffix(entry.Files[0], ".crt")+suffix)
		}
	}
	if paths == nil {
		return nil
	}
	return append([]string{"Where the " + what + " is known already, put it in its place before, and no other is taken:"}, paths...)
}
