package staticpod

import (
	"os"
	"path/filepath"
	"regexp"
	"sync"
	"time"
)

// Logs are the logs of a component as they were at one time.
type Logs struct {
	pattern string
	seen    map[string]time.Time // when each was written last
}

// LogDir is where the kubelet keeps the logs of pods (pkg/kubelet/kuberuntime).
const LogDir = "/var/log/pods"

// LogsIn remembers the logs of a component in a directory like LogDir:
// NAMESPACE_NAME-NODE_UID/CONTAINER/NUMBER.log.
func LogsIn(dir string, c *Component) Logs {
	namespace := c.Pod.Namespace
	if namespace == "" {
		namespace = "default"
	}
	logs := Logs{
		pattern: filepath.Join(dir, namespace+"_"+c.Pod.Name+"-*_*", c.Container.Name, "*.log"),
		seen:    map[string]time.Time{},
	}
	logs.each(func(path string, written time.Time) { logs.seen[path] = written })
	return logs
}

func (l Logs) each(do func(path string, written time.Time)) {
	paths, _ := filepath.Glob(l.pattern) // a bad pattern matches nothing
	for _, path := range paths {
		if info, err := os.Stat(path); err == nil {
			do(path, info.ModTime())
		}
	}
}

// Since returns the log with something in it that was written to last since then,
// and its end; none if no log was. A component that fails again and again has just
// begun a new one, which says nothing.
func (l Logs) Since() Log {
	var last Log
	var newest time.Time
	l.each(func(candidate string, written time.Time) {
		if !written.After(l.seen[candidate]) || !written.After(newest) {
			return
		}
		if lines := tail(candidate, withoutCRIPrefix); lines != nil {
			last, newest = Log{candidate, lines}, written
		}
	})
	return last
}

// IsEmpty says whether there were no logs at all: the kubelet keeps them elsewhere,
// or the component never ran.
func (l Logs) IsEmpty() bool { return len(l.seen) == 0 }

// Begun says whether the kubelet has begun a log since then, and so has started
// the container anew, which it does when the one before has ended.
func (l Logs) Begun() bool {
	begun := false
	l.each(func(path string, _ time.Time) { begun = begun || !l.HasSeen(path) })
	return begun
}

// HasSeen says whether a log was there already.
func (l Logs) HasSeen(path string) bool {
	_, seen := l.seen[path]
	return seen
}

// IsOfLastPod says whether a log is of the pod that wrote to its logs last then. The
// kubelet makes a new pod, with a new UID, of a manifest that is not the same
// (pkg/kubelet/config/common.go: applyDefaults).
func (l Logs) IsOfLastPod(path string) bool {
	last := ""
	for seen, written := range l.seen {
		if last == "" || written.After(l.seen[last]) {
			last = seen
		}
	}
	return last != "" && filepath.Dir(last) == filepath.Dir(path)
}

func withoutCRIPrefix(line string) string { return criPrefix().ReplaceAllString(line, "") }

// criPrefix is what container runtimes write before each line: time, stream, and
// whether the line is whole.
var criPrefix = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^\d{4}-\d\d-\d\dT\S+ (stdout|stderr) [FP] `)
})
