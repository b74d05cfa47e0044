package lab

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"io"
	"io/fs"
	"path/filepath"
	"strings"
	"time"

	"github.com/pkictl/pkictl/internal/kubeclient"
)

// readAuditLogCheck reads the parameters of a check that the API server of the lab's
// node writes what happens now to its audit log:
//
//	file  the log, below the workspace
//
// It asks the API server for a namespace that nobody has, and looks for the question
// in the log.
func readAuditLogCheck(p *params) (grader, error) {
	var file string
	if err := p.fields(p.file("file", &file)); err != nil {
		return nil, err
	}
	if file == "" {
		return nil, p.someOf(1, file)
	}
	return func(ctx context.Context, w *work) finding {
		f := finding{wanted: "the API server is up, and writes each request to " + file}
		f.found = w.logged(ctx, file)
		if f.passed = f.found == ""; f.passed {
			f.found = "as wanted"
		}
		return f
	}, nil
}

// logTime is how long an event may take to get to the log: kube-apiserver writes it
// before its answer ends (--audit-log-mode blocking, the default).
const logTime = 1500 * time.Millisecond

// logged says why a request does not get to an audit log, empty if it does.
func (w *work) logged(ctx context.Context, file string) (found string) {
	client, found := w.cluster(ctx)
	if found != "" {
		return found
	}
	name := "pkictl-lab-" + strings.ToLower(rand.Text())
	if _, err := client.Status(ctx, kubeclient.Namespaces+"/"+name); err != nil {
		return err.Error()
	}
	ctx, cancel := context.WithTimeout(ctx, logTime)
	defer cancel()
	for {
		switch there, err := w.learner.endHas(file, []byte(name)); {
		case there:
			return ""
		case wait(ctx) == nil:
		case errors.Is(err, fs.ErrNotExist):
			return "no file " + file
		case err != nil:
			return file + " " + err.Error()
		default:
			return "a request that was made just now is not in " + file
		}
	}
}

// maxLogEnd is how much of the end of a log is read.
const maxLogEnd = 1 << 20

// endHas says whether the end of a file holds a text.
func (l *learner) endHas(name string, text []byte) (bool, error) {
	name = filepath.FromSlash(name)
	info, err := l.root.Stat(name)
	if err == nil && !info.Mode().IsRegular() {
		return false, notPlain(info)
	}
	if err != nil {
		return false, causeOf(l.root, name, err)
	}
	f, err := l.root.OpenFile(name, noWait, 0)
	if err != nil {
		return false, causeOf(l.root, name, err)
	}
	defer f.Close()
	if info, err = f.Stat(); err != nil || !info.Mode().IsRegular() {
		return false, errors.New("is no plain file")
	}
	data, err := io.ReadAll(io.NewSectionReader(f, max(0, info.Size()-maxLogEnd), maxLogEnd))
	return bytes.Contains(data, text), err
}
