package cluster

import (
	"os"
	"path/filepath"
	"regexp"
	"sync"
	"time"
)

// podLogFiles are the logs of a static pod as they were at one time.
type podLogFiles struct {
	pattern string
	seen    map[string]time.Time // when each was written last
}

// podLog remembers the logs of a static pod, which the kubelet keeps in
// NAMESPACE_NAME-NODE_UID/CONTAINER/NUMBER.log (pkg/kubelet/kuberuntime).
func podLog(dir string, p *staticPod) podLogFiles {
	namespace := p.pod.Namespace
	if namespace == "" {
		namespace = "default"
	}
	logs := podLogFiles{
		pattern: filepath.Join(dir, namespace+"_"+p.pod.Name+"-*_*", p.container.Name, "*.log"),
		seen:    map[string]time.Time{},
	}
	logs.each(func(path string, written time.Time) { logs.seen[path] = written })
	return logs
}

func (l podLogFiles) each(do func(path string, written time.Time)) {
	paths, _ := filepath.Glob(l.pattern) // a bad pattern matches nothing
	for _, path := range paths {
		if info, err := os.Stat(path); err == nil {
			do(path, info.ModTime())
		}
	}
}

// since returns the log with something in it that was written to last since then,
// and its end; none if no log was. A component that fails again and again has just
// begun a new one, which says nothing.
func (l podLogFiles) since() (path string, tail []string) {
	var newest time.Time
	l.each(func(candidate string, written time.Time) {
		if !written.After(l.seen[candidate]) || !written.After(newest) {
			return
		}
		if lines := logTail(candidate); lines != nil {
			path, tail, newest = candidate, lines, written
		}
	})
	for i, line := range tail {
		tail[i] = criPrefix().ReplaceAllString(line, "")
	}
	return path, tail
}

// criPrefix is what container runtimes write before each line: time, stream, and
// whether the line is whole.
var criPrefix = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^\d{4}-\d\d-\d\dT\S+ (stdout|stderr) [FP] `)
})
