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
		if lines := Tail(candidate); lines != nil {
			last, newest = Log{candidate, lines}, written
		}
	})
	for i, line := range last.Lines {
		last.Lines[i] = criPrefix().ReplaceAllString(line, "")
	}
	return last
}

// criPrefix is what container runtimes write before each line: time, stream, and
// whether the line is whole.
var criPrefix = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^\d{4}-\d\d-\d\dT\S+ (stdout|stderr) [FP] `)
})
