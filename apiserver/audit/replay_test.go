package audit_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/pkictl/pkictl/apiserver/audit"
	"github.com/pkictl/pkictl/internal/failure"
)

func parsePolicy(t testing.TB, text string) *audit.Policy {
	t.Helper()
	p, err := audit.Parse("policy.yaml", []byte("apiVersion: audit.k8s.io/v1\nkind: Policy\n"+text))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

const everything = "rules: [{level: RequestResponse}]"

// logged is an event of a log, as kube-apiserver writes it but for what the
// tests do not look at.
func logged(level, stage, verb, uri, user, more string) string {
	return fmt.Sprintf(`{"kind":"Event","apiVersion":"audit.k8s.io/v1","level":%q,"auditID":"1","stage":%q,"requestURI":%q,"verb":%q,`+
		`"user":{"username":%q,"groups":["devs","system:authenticated"]},%s"requestReceivedTimestamp":"2026-01-02T15:04:05.000000Z",`+
		`"stageTimestamp":"2026-01-02T15:04:05.100000Z"}`, level, stage, uri, verb, user, more)
}

var anEvent = logged("Metadata", "ResponseComplete", "get", "/api/v1/namespaces/default/pods/web", "jane", "")

func writeLog(t testing.TB, path, text string) string {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func gzipped(t testing.TB, text string) string {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := io.WriteString(w, text); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func replayText(t testing.TB, text string, o audit.ReplayOptions) (*audit.ReplayReport, error) {
	t.Helper()
	o.Logs = append(o.Logs, writeLog(t, filepath.Join(t.TempDir(), "audit.log"), text))
	if o.Policy == nil {
		o.Policy = parsePolicy(t, everything)
	}
	return audit.Replay(t.Context(), o)
}

func mustReplay(t testing.TB, text string, o audit.ReplayOptions) *audit.ReplayReport {
	t.Helper()
	r, err := replayText(t, text, o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// TestReplayBadLogs has what is in logs that something went wrong with. Events are
// counted, the rest is told.
func TestReplayBadLogs(t *testing.T) {
	t.Parallel()
	long := logged("RequestResponse", "ResponseComplete", "get", "/api/v1/pods", "jane", `"responseObject":{"a":"`+strings.Repeat("x", 5<<20)+`"},`)
	tooLong := logged("RequestResponse", "ResponseComplete", "get", "/api/v1/pods", "jane", `"responseObject":{"a":"`+strings.Repeat("x", 17<<20)+`"},`)
	list := `{"kind":"EventList","apiVersion":"audit.k8s.io/v1","metadata":{},"items":[` + anEvent + "," +
		strings.Replace(anEvent, `"kind":"Event","apiVersion":"audit.k8s.io/v1",`, "", 1) + "]}"
	tests := []struct {
		name, log string
		events    int64
		problems  map[string]int64
		lines     []int64 // of the problems
	}{
		{"plain", anEvent + "\n" + anEvent + "\n", 2, nil, nil},
		{"no line end at the end", anEvent + "\n" + anEvent, 2, nil, nil},
		{"Windows line ends", anEvent + "\r\n" + anEvent + "\r\n", 2, nil, nil},
		{"empty lines", "\n\n" + anEvent + "\n \n\t\n", 1, nil, nil},
		{"byte order mark", "\ufeff" + anEvent + "\n", 1, nil, nil},
		{"cut at the end", anEvent + "\n" + anEvent[:200], 1, map[string]int64{audit.ReasonBroken: 1}, []int64{2}},
		{"cut in the middle", anEvent[:200] + "\n" + anEvent + "\n", 1, map[string]int64{audit.ReasonBroken: 1}, []int64{1}},
		{"two on a line", anEvent + anEvent + "\n" + anEvent + "\n", 1, map[string]int64{audit.ReasonBroken: 1}, []int64{1}},
		{"cut within UTF-8", anEvent + "\n" + `{"kind":"Ev` + "\xc3", 1, map[string]int64{audit.ReasonBroken: 1}, []int64{2}},
		{"foreign lines", "I0102 15:04:05.000000 1 server.go:1] hello\n" + anEvent + "\n[1,2]\n\"x\"\nnull\n{}\n", 1,
			map[string]int64{audit.ReasonForeign: 1, audit.ReasonOther: 4}, []int64{1, 3, 4, 5, 6}},
		{"legacy format", anEvent + "\n" + `2026-01-02T15:04:05.1Z AUDIT: id="1" stage="ResponseComplete" ip="::1" method="get"` + "\n", 1,
			map[string]int64{audit.ReasonLegacy: 1}, []int64{2}},
		{"an earlier version", anEvent + "\n" + strings.Replace(anEvent, "audit.k8s.io/v1", "audit.k8s.io/v1beta1", 1) + "\n", 1,
			map[string]int64{audit.ReasonOther: 1}, []int64{2}},
		{"fields that are missing or unknown", strings.Join([]string{
			anEvent, strings.Replace(anEvent, "Metadata", "metadata", 1), strings.Replace(anEvent, "Metadata", "None", 1),
			strings.Replace(anEvent, "ResponseComplete", "Done", 1), strings.Replace(anEvent, `"verb":"get",`, "", 1),
			strings.Replace(anEvent, `"verb":"get",`, `"verb":1,`, 1), strings.Replace(anEvent, `"requestURI"`, `"uri"`, 1),
		}, "\n"), 1, map[string]int64{audit.ReasonNoFields: 6}, []int64{2, 3, 4, 5, 6}},
		{"NUL bytes before", strings.Repeat("\x00", 100) + anEvent + "\n", 1, map[string]int64{audit.ReasonNUL: 1}, []int64{1}},
		{"NUL bytes after", anEvent + "\n" + strings.Repeat("\x00", 100), 1, map[string]int64{audit.ReasonNUL: 1}, []int64{2}},
		{"a hole", anEvent + "\n" + strings.Repeat("\x00", 20<<20) + anEvent + "\n" + anEvent, 3, map[string]int64{audit.ReasonNUL: 1}, []int64{2}},
		{"long", anEvent + "\n" + long + "\n" + anEvent + "\n" + long + "\n" + anEvent, 5, nil, nil},
		{"too long", anEvent + "\n" + tooLong + "\n" + anEvent + "\nfoo\n", 2,
			map[string]int64{audit.ReasonTooLong: 1, audit.ReasonForeign: 1}, []int64{2, 4}},
		{"too long at the end", anEvent + "\n" + tooLong, 1, map[string]int64{audit.ReasonTooLong: 1}, []int64{2}},
		{"list", list + "\n", 2, nil, nil},
		{"list with what is no event", strings.Replace(list, `"items":[`, `"items":[{},`, 1) + "\n", 2, map[string]int64{audit.ReasonOther: 1}, []int64{1}},
		{"gzip", gzipped(t, anEvent+"\n"+anEvent+"\n"), 2, nil, nil},
		{"two gzip members", gzipped(t, anEvent+"\n") + gzipped(t, anEvent+"\n"), 2, nil, nil},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			r := mustReplay(t, test.log, audit.ReplayOptions{})
			if r.Log.Events != test.events || r.Policy.Kept.Events != test.events {
				t.Errorf("%d events, %d kept, want %d", r.Log.Events, r.Policy.Kept.Events, test.events)
			}
			if len(r.NotEvents)+len(test.problems) > 0 && !reflect.DeepEqual(r.NotEvents, test.problems) {
				t.Errorf("problems %v, want %v", r.NotEvents, test.problems)
			}
			var lines []int64
			for _, p := range r.Problems {
				lines = append(lines, p.Line)
			}
			if !slices.Equal(lines, test.lines) {
				t.Errorf("in lines %v, want %v", lines, test.lines)
			}
			want := int64(strings.Count(test.log+"\n", "\n"))
			if strings.HasSuffix(test.log, "\n") {
				want--
			}
			if !strings.Contains(test.name, "gzip") && r.Lines != want {
				t.Errorf("%d lines, want %d", r.Lines, want)
			}
		})
	}
}

// TestReplayDamagedGzip reads what can be read of a file that was cut.
func TestReplayDamagedGzip(t *testing.T) {
	t.Parallel()
	whole := gzipped(t, strings.Repeat(anEvent+"\n", 10_000))
	for name, data := range map[string]string{
		"cut":     whole[:len(whole)/2],
		"flipped": whole[:len(whole)/2] + "\xff\xff\xff\xff" + whole[len(whole)/2+4:],
		"tail":    whole + "more",
	} {
		r, err := replayText(t, data, audit.ReplayOptions{Logs: []string{writeLog(t, filepath.Join(t.TempDir(), "after.log"), anEvent)}})
		if err != nil {
			t.Fatal(name, err)
		}
		if damaged := r.NotEvents[audit.ReasonDamaged]; damaged != 1 || r.Log.Events < 2 || r.Log.Events > 10_001 {
			t.Errorf("%s: %d events, %d times damaged, %v", name, r.Log.Events, damaged, r.Problems)
		}
	}
}

func TestReplayRefuses(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	many := t.TempDir()
	writeLog(t, filepath.Join(many, "a.log"), anEvent)
	writeLog(t, filepath.Join(many, "b.log"), anEvent)
	tests := []struct {
		name, log string
		kind      failure.Kind
		text      string
	}{
		{"missing", filepath.Join(dir, "missing"), failure.Failed, "cannot read"},
		{"empty", writeLog(t, filepath.Join(dir, "empty"), ""), failure.Failed, "which is empty"},
		{"no event", writeLog(t, filepath.Join(dir, "none"), "hello\n"), failure.Failed, "none:1: not JSON"},
		{"legacy", writeLog(t, filepath.Join(dir, "legacy"), `x AUDIT: id="1"`), failure.Failed, "format legacy"},
		{"zstd", writeLog(t, filepath.Join(dir, "zstd"), "\x28\xb5\x2f\xfd...."), failure.Failed, "compressed with zstd"},
		{"xz", writeLog(t, filepath.Join(dir, "xz"), "\xfd7zXZ\x00...."), failure.Failed, "compressed with xz"},
		{"no log in it", t.TempDir(), failure.Failed, "there is no log in the directory"},
		{"several", many, failure.Usage, "several logs"},
		{"no input", "-", failure.Usage, "no standard input"},
	}
	for _, test := range tests {
		_, err := audit.Replay(t.Context(), audit.ReplayOptions{Policy: parsePolicy(t, everything), Logs: []string{test.log}})
		if err == nil || failure.KindOf(err) != test.kind || !strings.Contains(err.Error(), test.text) || failure.HintOf(err) == "" {
			t.Errorf("%s: %v (%s)", test.name, err, failure.HintOf(err))
		}
	}
	ended, end := context.WithCancel(t.Context())
	end()
	if _, err := audit.Replay(ended, audit.ReplayOptions{Policy: parsePolicy(t, everything), Logs: []string{"-"}, Stdin: neverRead{}}); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// neverRead is a pipe that nobody writes to.
type neverRead struct{}

func (neverRead) Read([]byte) (int, error) { select {} }

func TestReplayRotated(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, users := range map[string]string{
		"audit.log": "d", "audit-2026-01-02T15-04-05.000.log": "b", "audit-2026-01-03T15-04-05.000.log.gz": "c",
		"audit-2025-12-31T23-59-59.999.log": "a", "other.log": "x", "audit-old.log": "x", "policy.yaml": "x",
	} {
		text := logged("Metadata", "ResponseComplete", "get", "/version", users, "") + "\n"
		if strings.HasSuffix(name, ".gz") {
			text = gzipped(t, text)
		}
		writeLog(t, filepath.Join(dir, name), text)
	}
	in := func(names ...string) (paths []string) {
		for _, name := range names {
			paths = append(paths, filepath.Join(dir, name))
		}
		return paths
	}
	all := in("audit-2025-12-31T23-59-59.999.log", "audit-2026-01-02T15-04-05.000.log", "audit-2026-01-03T15-04-05.000.log.gz", "audit.log")
	tests := []struct {
		name    string
		logs    []string
		rotated bool
		want    []string
	}{
		{"file", in("audit.log"), false, in("audit.log")},
		{"rotated", in("audit.log"), true, all},
		{"directory", []string{dir}, false, all},
		{"as the shell lists them, with one twice", append(all, all[0]), false, all},
		{"rotated and a pattern", append(in("audit-2026-01-02T15-04-05.000.log"), all...), true,
			append(in("audit-2026-01-02T15-04-05.000.log"), all[0], all[2], all[3])},
	}
	for _, test := range tests {
		r, err := audit.Replay(t.Context(), audit.ReplayOptions{Policy: parsePolicy(t, everything), Logs: test.logs, Rotated: test.rotated})
		if err != nil {
			t.Fatal(test.name, err)
		}
		if !slices.Equal(r.Logs, test.want) || r.Log.Events != int64(len(test.want)) {
			t.Errorf("%s: %d events of %v, want %v", test.name, r.Log.Events, r.Logs, test.want)
		}
	}
}

// TestReplayLevels raises and lowers levels, omits stages and compares.
func TestReplayLevels(t *testing.T) {
	t.Parallel()
	objects := `"requestObject":{"metadata":{"name":"a","managedFields":[{"manager":"x"}],"uid":"1"}},"responseObject":{"items":[{"metadata":{"managedFields":[{"manager":"x"}],"uid":"1"}}]},`
	full := logged("RequestResponse", "ResponseComplete", "create", "/api/v1/namespaces/default/configmaps", "jane", objects)
	log := strings.Join([]string{
		full,
		logged("Metadata", "RequestReceived", "create", "/api/v1/namespaces/default/pods", "jane", ""),
		logged("Metadata", "ResponseComplete", "create", "/api/v1/namespaces/default/pods", "jane", ""),
		logged("Metadata", "ResponseComplete", "watch", "/api/v1/pods?watch=1", "joe", `"responseStatus":{"code":200},`),
	}, "\n") + "\n"
	size := func(line string) int64 { return int64(len(line)) + 1 }
	short := logged("Metadata", "ResponseComplete", "create", "/api/v1/namespaces/default/configmaps", "jane", "")
	plain := strings.ReplaceAll(full, `"managedFields":[{"manager":"x"}],`, "")
	lines := strings.Split(log, "\n")
	word := int64(len("RequestResponse") - len("Metadata"))
	others := size(lines[1]) + size(lines[2]) + size(lines[3])
	tests := []struct {
		name, policy    string
		kept            audit.Tally
		gained, lost    int64
		raised, lowered int64
	}{
		{"the highest", everything, audit.Tally{Events: 4, Bytes: size(full) + others + 3*word, Incomplete: 1}, 0, 0, 3, 0},
		{"Request", "rules: [{level: Request}]", audit.Tally{Events: 4, Incomplete: 1,
			Bytes: size(short) + int64(strings.Index(full, `"responseObject"`)-strings.Index(full, `"requestObject"`)) - 1 + others + 3*-1}, 0, 0, 3, 1},
		{"Metadata", "rules: [{level: Metadata}]", audit.Tally{Events: 4, Bytes: size(short) + others}, 0, 0, 0, 1},
		{"without managed fields", "omitManagedFields: true\nrules: [{level: RequestResponse, resources: [{resources: [configmaps]}]}]",
			audit.Tally{Events: 1, Bytes: size(plain)}, 0, 3, 0, 0},
		{"a stage omitted", "omitStages: [RequestReceived]\nrules: [{level: Metadata}]", audit.Tally{Events: 3, Bytes: size(short) + size(lines[2]) + size(lines[3])}, 0, 1, 0, 1},
		{"by user", "rules: [{level: Metadata, users: [joe]}]", audit.Tally{Events: 1, Bytes: size(lines[3])}, 0, 3, 0, 0},
		{"by group", "rules: [{level: Metadata, userGroups: [devs]}]", audit.Tally{Events: 4, Bytes: size(short) + others}, 0, 0, 0, 1},
		{"none", "rules: [{level: None}]", audit.Tally{}, 0, 4, 0, 0},
		{"no rule", "rules: [{level: Metadata, users: [nobody]}]", audit.Tally{}, 0, 4, 0, 0},
	}
	// What decides about these events as they were decided about.
	own := parsePolicy(t, "rules: [{level: RequestResponse, resources: [{resources: [configmaps]}]}, {level: Metadata}]")
	for _, test := range tests {
		r := mustReplay(t, log, audit.ReplayOptions{Policy: parsePolicy(t, test.policy), Against: own})
		if r.Policy.Kept != test.kept {
			t.Errorf("%s: kept %+v, want %+v", test.name, r.Policy.Kept, test.kept)
		}
		if r.Against.Kept != r.Log {
			t.Errorf("by its own policy: kept %+v of %+v", r.Against.Kept, r.Log)
		}
		d := r.Difference
		if d.Gained != test.gained || d.Lost != test.lost || d.Raised != test.raised || d.Lowered != test.lowered || d.Bytes != test.kept.Bytes-r.Against.Kept.Bytes {
			t.Errorf("%s: difference %+v", test.name, d)
		}
		checkSums(t, r)
	}
}

// checkSums holds the parts of a report against its whole.
func checkSums(t *testing.T, r *audit.ReplayReport) {
	t.Helper()
	for name, rows := range map[string][]audit.Row{"days": r.Days, "users": r.Users, "resources": r.Resources, "levels": r.Levels} {
		var log, kept, against audit.Tally
		for _, row := range rows {
			log = sum(log, row.Log)
			if row.Name != audit.NotKept {
				kept, against = sum(kept, row.Kept), sum(against, *row.Against)
			}
		}
		if log != r.Log || kept != r.Policy.Kept || against != r.Against.Kept {
			t.Errorf("%s: log %+v kept %+v against %+v, want %+v %+v %+v", name, log, kept, against, r.Log, r.Policy.Kept, r.Against.Kept)
		}
	}
	for _, p := range []audit.PolicyReplay{r.Policy, *r.Against} {
		var events int64
		var kept audit.Tally
		for _, rule := range p.Rules {
			events += rule.Events
			kept = sum(kept, rule.Kept)
		}
		if events != r.Log.Events || kept != p.Kept {
			t.Errorf("rules of %s: %d events, kept %+v, want %d, %+v", p.Policy, events, kept, r.Log.Events, p.Kept)
		}
	}
}

func sum(a, b audit.Tally) audit.Tally {
	return audit.Tally{Events: a.Events + b.Events, Bytes: a.Bytes + b.Bytes, Incomplete: a.Incomplete + b.Incomplete}
}

// TestReplayNames has more users and resources than are counted apart, and longer
// names than any has.
func TestReplayNames(t *testing.T) {
	t.Parallel()
	var log strings.Builder
	for i := range 25_000 {
		log.WriteString(logged("Metadata", "ResponseComplete", "get", fmt.Sprintf("/api/v1/r%d/x", i), fmt.Sprintf("user-%d", i), "") + "\n")
	}
	log.WriteString(logged("Metadata", "ResponseComplete", "get", "/"+strings.Repeat("x", 1000), strings.Repeat("y", 1000), "") + "\n")
	r := mustReplay(t, log.String(), audit.ReplayOptions{Against: parsePolicy(t, "rules: [{level: None}]"), Top: 3})
	if len(r.Users) != 4 || len(r.Resources) != 4 || len(r.Difference.Resources) != 4 {
		t.Errorf("%d users, %d resources, %d changed", len(r.Users), len(r.Resources), len(r.Difference.Resources))
	}
	checkSums(t, r)
	r = mustReplay(t, log.String(), audit.ReplayOptions{Against: parsePolicy(t, "rules: [{level: None}]")})
	if len(r.Users) > 10_001 || len(r.Resources) > 10_001 {
		t.Errorf("%d users, %d resources", len(r.Users), len(r.Resources))
	}
	checkSums(t, r)
	// The buffers have gone round many times, and no name with them.
	whole := regexp.MustCompile(`^(user-[0-9]+|y{200}\.\.\.|\(others\))$`)
	for _, row := range r.Users {
		if !whole.MatchString(row.Name) || row.Log.Events != 1 && row.Name[0] != '(' {
			t.Errorf("%q has %d events", row.Name, row.Log.Events)
		}
	}
	for _, c := range r.Difference.Rules {
		if e := c.Example; !strings.HasSuffix(e.Log, "audit.log") || e.Line != 1 || e.User != "user-0" || e.Path != "/api/v1/r0/x" || e.Verb != "get" || e.Stage != "ResponseComplete" {
			t.Errorf("example %+v", e)
		}
	}
}

// TestReplayDays has events of several days, and what they are a day.
func TestReplayDays(t *testing.T) {
	t.Parallel()
	var log strings.Builder
	for day := 1; day <= 4; day++ {
		for range day {
			log.WriteString(strings.ReplaceAll(anEvent, "2026-01-02", fmt.Sprintf("2026-01-%02d", day)) + "\n")
		}
	}
	r := mustReplay(t, log.String(), audit.ReplayOptions{Policy: parsePolicy(t, "rules: [{level: Metadata}]")})
	if len(r.Days) != 4 || r.Days[3].Name != "2026-01-04" || r.Days[3].Kept.Events != 4 {
		t.Errorf("%+v", r.Days)
	}
	if want := r.Log.Bytes / 3; r.Policy.BytesADay != want || r.Span().Hours() != 72 {
		t.Errorf("%d a day in %s, want %d", r.Policy.BytesADay, r.Span(), want)
	}
	broken := mustReplay(t, strings.ReplaceAll(anEvent, "2026-01-02T15", "yesterday"), audit.ReplayOptions{})
	if broken.First != nil || broken.Policy.BytesADay != 0 || len(broken.Notes) == 0 {
		t.Errorf("%+v", broken)
	}
}

// TestReplayNotes says what a log cannot tell.
func TestReplayNotes(t *testing.T) {
	t.Parallel()
	log := logged("Metadata", "ResponseComplete", "watch", "/api/v1/pods?watch=1", "joe", `"annotations":{"audit.k8s.io/truncated":"true"},`) + "\n" + anEvent
	notes := strings.Join(mustReplay(t, log, audit.ReplayOptions{}).Notes, "\n")
	for _, want := range []string{"RequestReceived", "ResponseStarted", "lower bound", "--audit-log-truncate-enabled"} {
		if !strings.Contains(notes, want) {
			t.Errorf("no %s in\n%s", want, notes)
		}
	}
	own := mustReplay(t, anEvent, audit.ReplayOptions{Policy: parsePolicy(t, "omitStages: [RequestReceived]\nrules: [{level: Metadata}]")})
	if len(own.Notes) != 0 {
		t.Error(own.Notes)
	}
}

// TestReplayProgress counts bytes of the file up to its size.
func TestReplayProgress(t *testing.T) {
	t.Parallel()
	text := gzipped(t, strings.Repeat(anEvent+"\n", 1000))
	var last int64
	mustReplay(t, text, audit.ReplayOptions{Progress: func(done, total int64) {
		if total != int64(len(text)) || done < last {
			t.Errorf("%d of %d after %d", done, total, last)
		}
		last = done
	}})
	if last != int64(len(text)) {
		t.Errorf("%d of %d", last, len(text))
	}
	r, err := audit.Replay(t.Context(), audit.ReplayOptions{
		Policy: parsePolicy(t, everything), Logs: []string{"-"}, Stdin: strings.NewReader(text),
		Progress: func(_, total int64) {
			if total != 0 {
				t.Error("the length of a stream is known")
			}
		},
	})
	if err != nil || r.Log.Events != 1000 {
		t.Error(r, err)
	}
	if _, err := json.Marshal(r); err != nil {
		t.Error(err)
	}
}
