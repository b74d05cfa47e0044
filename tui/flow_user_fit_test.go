package tui

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/charmbracelet/x/ansi"
)

// hostileAnswers are what no field expects.
var hostileAnswers = []string{
	"\x1b[2J\x1b]0;title\x07", "\u202eevil\u2066", strings.Repeat("long", 2500), strings.Repeat("e\u0301\u0301\u0301", 800),
	"\xff\xfe", "全角文字" + strings.Repeat("漢", 300), "--force", "a\nb\r\nc\td", "",
}

// TestFlowsFit draws every step of the flows for a user and for a control plane,
// with every field under the cursor and answers of all kinds, at the smallest size and another.
func TestFlowsFit(t *testing.T) {
	t.Parallel()
	for _, hostile := range hostileAnswers {
		root := t.TempDir()
		user := newFlowUserIn(t, root, strings.ToValidUTF8(hostile, "?")+" ")
		cluster := newFlowClusterIn(root, time.Now)
		for _, f := range []flow{user, cluster} {
			s := newForm(user.w, f).(*formScreen)
			for _, step := range s.steps {
				for _, field := range step.fields {
					switch {
					case field.text != nil:
						*field.text = hostile
					case field.list != nil:
						*field.list = []string{hostile, "second", hostile}
					}
				}
			}
			drawAll(t, s, hostile)
			// What is chosen shows other fields.
			user.where, user.access, user.lifetime, user.via = flowUserFile, flowUserRole, flowUserOther, "ca"
			cluster.cas, cluster.nodes = flowClusterParent, flowClusterSeveral
			drawAll(t, s, hostile)
			user.access, cluster.nodes = flowUserCluster, flowClusterOne
			drawAll(t, s, hostile)
		}
	}
}

// drawAll draws a form at each step and each field.
func drawAll(t *testing.T, s *formScreen, hostile string) {
	t.Helper()
	for s.at = range s.steps {
		if load := s.step().load; load != nil && s.step().loaded == nil {
			s.step().loaded = load(t.Context())
		}
		for i := range s.step().fields {
			s.refresh()
			s.focusOn(i)
			s.changed()
			checkDrawn(t, s, [2]int{60, 12}, hostile)
			checkDrawn(t, s, [][2]int{{80, 20}, {100, 30}, {200, 56}}[(s.at+i)%3], hostile)
		}
		if check := s.step().check; check != nil {
			s.err = check()
			checkDrawn(t, s, [2]int{60, 12}, hostile)
		}
	}
}

// checkDrawn checks that a screen fits, and shows nothing that acts on a terminal.
func checkDrawn(t *testing.T, s screen, size [2]int, hostile string) {
	t.Helper()
	drawn := s.View(size[0], size[1])
	rows := strings.Split(strings.TrimRight(drawn, "\n"), "\n")
	if len(rows) > size[1] {
		t.Fatalf("%.20q: %d lines at %v", hostile, len(rows), size)
	}
	for _, line := range rows {
		if width := ansi.StringWidth(line); width > size[0] {
			t.Fatalf("%.20q: %d cells at %v: %q", hostile, width, size, line)
		}
	}
	if strings.ContainsAny(drawn, "\u202e\u2066\x07\r\t") || strings.Contains(drawn, "\x1b[2J") || strings.Contains(drawn, "\x1b]") {
		t.Fatalf("%.20q is drawn raw: %q", hostile, drawn)
	}
}

// TestFlowClusterReviewOfHostileNames: a directory may be called anything.
func TestFlowClusterReviewOfHostileNames(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"\x1b[2J\x1b]0;title\x07", "\u202eevil", strings.Repeat("é", 100), "a\nb"} {
		f := newFlowClusterIn(t.TempDir(), time.Now)
		f.dir = filepath.Join(f.w.ClusterDir, name)
		f.nodes, f.several, f.endpoint = flowClusterSeveral, []string{"cp-1=10.0.0.1", "cp-2=10.0.0.2"}, "k8s.example.com"
		if err := os.MkdirAll(f.dir, 0o700); err != nil {
			t.Fatal(err)
		}
		var log jobLog
		r, err := f.review(t.Context(), log.newJob())
		if err != nil {
			t.Fatal(err)
		}
		s := reviewed(f.w, f, r, nil)
		for _, size := range [][2]int{{60, 12}, {80, 20}, {200, 56}} {
			checkDrawn(t, s, size, name)
		}
		out, err := f.run(t.Context(), log.newJob())
		if err != nil {
			t.Fatal(err)
		}
		done := &resultScreen{world: f.w, flow: f, work: &formWork{}, outcome: out}
		for _, size := range [][2]int{{60, 12}, {80, 20}, {200, 56}} {
			checkDrawn(t, done, size, name)
		}
	}
}
