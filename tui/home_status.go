package tui

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"time"

	tea "charm.land/bubbletea/v2"

	"github.com/pkictl/pkictl/ca"
	"github.com/pkictl/pkictl/cluster"
	"github.com/pkictl/pkictl/internal/failure"
	"github.com/pkictl/pkictl/internal/kubeclient"
)

// What the status goes by.
const (
	homeSoon  = 30 * ca.Day     // within which an end is worth a warning
	homeProbe = 3 * time.Second // that an API server may take to answer
)

// level says how something is; each has a sign, for colours may be none.
type level int

const (
	levelPlain level = iota
	levelGood
	levelWarn
	levelBad
)

func (l level) sign() string { return [...]string{" ", "✓", "!", "✗"}[l] }

// word is the sign for those who have the screen read to them.
func (l level) word() string { return [...]string{"", "", "warning: ", "error: "}[l] }

// homeLine is a line of the status. Its text need not be printable.
type homeLine struct {
	level level
	text  string
}

// homeBlock is what one place holds: the line for where there is room for one, and
// all of them.
type homeBlock struct {
	label string
	brief homeLine
	lines []homeLine
}

// homeBlockMsg brings a block of the status.
type homeBlockMsg struct {
	asked, index int
	block        homeBlock
}

// homeStatus is what the first screen shows of the world.
type homeStatus struct {
	w      *world
	blocks []homeBlock
}

// homePartNames are the places, in the order in which they are shown.
var homePartNames = [...]string{"PKI directory", "Cluster PKI", "Kubeconfig"}

func newHomeStatus(w *world) homeStatus {
	s := homeStatus{w: w}
	for _, label := range homePartNames {
		looking := homeLine{text: "looking ..."}
		s.blocks = append(s.blocks, homeBlock{label: label, brief: looking, lines: []homeLine{looking}})
	}
	return s
}

// look looks at one of the places.
func (s *homeStatus) look(ctx context.Context, index int) homeBlock {
	block := [...]func(context.Context) homeBlock{s.pki, s.cluster, s.kubeconfig}[index](ctx)
	block.label = homePartNames[index]
	return block
}

// load looks at all places at once, in the background.
func (s *homeStatus) load(ctx context.Context, asked int) tea.Cmd {
	var cmds []tea.Cmd
	for i := range homePartNames {
		cmds = append(cmds, func() tea.Msg { return homeBlockMsg{asked, i, s.look(ctx, i)} })
	}
	return tea.Batch(cmds...)
}

// errorBlock says why a place could not be looked at.
func errorBlock(err error) homeBlock {
	b := homeBlock{brief: homeLine{levelBad, err.Error()}}
	b.lines = []homeLine{b.brief}
	if hint := failure.HintOf(err); hint != "" {
		b.lines = append(b.lines, homeLine{levelPlain, hint})
	}
	return b
}

// nothing says that there is nothing yet, and what leads on.
func nothing(what, next string) homeBlock {
	return homeBlock{brief: homeLine{text: what + " " + next}, lines: []homeLine{{text: what}, {text: next}}}
}

// pki is what the PKI directory holds.
func (s *homeStatus) pki(ctx context.Context) homeBlock {
	now := s.w.Now()
	o, err := ca.NewOverview(ctx, s.w.Dir, homeSoon, now)
	switch {
	case err != nil:
		return errorBlock(err)
	case o == nil:
		return nothing("No certificate authority in "+s.w.Dir+" yet.", "Certificate authority makes one, or takes yours over.")
	}
	cert := o.CA.Certificate
	name := ca.FormatName(cert.RawSubject)
	kind := "root"
	if len(o.CA.Chain) > 0 {
		kind = "intermediate"
	}
	end := s.ending(cert.NotAfter, now)
	b := homeBlock{lines: []homeLine{
		{levelPlain, fmt.Sprintf("%s · %s · %s · %s", name, kind, ca.KeyName(cert.PublicKey), o.Protection())},
		{end.level, fmt.Sprintf("ends %s, %s", cert.NotAfter.UTC().Format(time.DateOnly), end.text)},
	}}
	counts := countHome(o)
	b.lines = append(b.lines, counts)
	if o.Next != nil {
		next := s.ending(o.Next.NotAfter, now)
		b.lines = append(b.lines, homeLine{next.level, "first to end: " + o.Next.Name + ", " + next.text})
	}
	b.brief = homeLine{max(end.level, counts.level), strings.TrimPrefix(name, "CN=") + " · " + counts.text}
	if end.level > levelGood {
		b.brief.text = "CA ends " + end.text + " · " + counts.text
	}
	return b
}

// countHome counts the certificates; what is none is not said.
func countHome(o *ca.Overview) homeLine {
	if o.Certificates == 0 {
		return homeLine{levelPlain, "no certificates yet"}
	}
	line := homeLine{levelGood, fmt.Sprintf("%s: %s valid", plural(o.Certificates, "certificate"), number(o.Valid))}
	if o.Expiring > 0 {
		line.level = levelWarn
		line.text += fmt.Sprintf(" · %s within 30 days", endsOrEnd(o.Expiring))
	}
	for _, part := range []struct {
		n    int
		what string
	}{{o.Expired, "expired"}, {o.Revoked, "revoked"}, {o.Incomplete, "incomplete"}} {
		if part.n > 0 {
			line.text += fmt.Sprintf(" · %s %s", number(part.n), part.what)
		}
	}
	return line
}

func endsOrEnd(n int) string {
	if n == 1 {
		return "1 ends"
	}
	return number(n) + " end"
}

// ending says when something ends, and how that is.
func (s *homeStatus) ending(end, now time.Time) homeLine {
	left := end.Sub(now)
	switch {
	case left < 0:
		return homeLine{levelBad, "ended " + ca.FormatLeft(left)}
	case left < homeSoon:
		return homeLine{levelWarn, "in " + ca.FormatLeft(left)}
	}
	return homeLine{levelGood, "in " + ca.FormatLeft(left)}
}

// cluster is what the cluster directory holds.
func (s *homeStatus) cluster(ctx context.Context) homeBlock {
	dir := s.w.ClusterDir
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		return nothing("No control plane's PKI in "+dir+".", "Cluster PKI makes all of it.")
	}
	now := s.w.Now()
	report, err := cluster.Check(ctx, cluster.CheckOptions{Dir: dir, Now: now})
	if err != nil {
		return errorBlock(err)
	}
	sum := report.Summary()
	b := homeBlock{brief: homeLine{levelGood, fmt.Sprintf("%s on %s", plural(sum.Certificates, "certificate"), plural(sum.Nodes, "node"))}}
	b.lines = []homeLine{{levelPlain, b.brief.text}}
	if sum.First != nil {
		first := s.ending(*sum.First.NotAfter, now)
		b.brief.level = first.level
		b.lines = append(b.lines, homeLine{first.level, "first to end: " + sum.First.Name + ", " + first.text})
		b.brief.text += " · first to end " + first.text
	}
	found := homeLine{levelGood, "all as kubeadm lays it out"}
	if sum.Findings > 0 {
		found = homeLine{levelWarn, plural(sum.Findings, "finding") + "; see: " + s.w.Program + " cluster check " + dir}
		b.brief = homeLine{levelWarn, b.brief.text + " · " + plural(sum.Findings, "finding")}
	}
	b.lines = append(b.lines, found)
	return b
}

// kubeconfig is what the current context names, and whether it answers.
func (s *homeStatus) kubeconfig(ctx context.Context) homeBlock {
	if s.w.Kubeconfig == "" && !anyThere(s.w.Kubeconfigs) {
		return nothing("No kubeconfig.", "User for a cluster makes one, and so does Cluster PKI.")
	}
	c, err := s.w.Connect("", "")
	if err != nil {
		return errorBlock(err)
	}
	now := s.w.Now()
	b := homeBlock{lines: []homeLine{{levelPlain, fmt.Sprintf("%s · %s", c.Context, kubeclient.ShowURL(c.Server()))}}}
	user := s.user(c, now)
	b.lines = append(b.lines, user)
	answer := probed(c.Probe(ctx, homeProbe))
	b.lines = append(b.lines, answer)
	b.brief = homeLine{max(user.level, answer.level), c.Context + " · " + answer.text}
	if user.level > levelGood {
		b.brief.text += " · " + user.text
	}
	return b
}

// user says who the kubeconfig logs in as, and for how long.
func (s *homeStatus) user(c *kubeclient.Client, now time.Time) homeLine {
	cert, err := c.ClientCertificate()
	switch {
	case c.Plugin() != "":
		return homeLine{levelPlain, "user " + c.User + " · gets its credential from " + c.Plugin()}
	case errors.Is(err, kubeclient.ErrNoCertificate):
		return homeLine{levelPlain, "user " + c.User + " · no client certificate"}
	case err != nil:
		return homeLine{levelBad, err.Error()}
	}
	end := s.ending(cert.NotAfter, now)
	return homeLine{end.level, "user " + c.User + " · certificate ends " + end.text}
}

// probed says how an API server has answered.
func probed(a kubeclient.Answer, err error) homeLine {
	if err != nil {
		return homeLine{levelBad, err.Error()}
	}
	line := homeLine{levelGood, "answers in " + a.Took.Round(time.Millisecond).String()}
	if a.Version != "" {
		line.text = a.Version + " · " + line.text
	}
	if a.Refused {
		line.level = levelBad
		line.text += ", but does not know the user"
	}
	return line
}

func anyThere(paths []string) bool {
	for _, path := range paths {
		if _, err := os.Stat(path); err == nil {
			return true
		}
	}
	return false
}
