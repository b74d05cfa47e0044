package tui

import (
	"context"
	"path/filepath"
	"strings"
	"time"

	"github.com/pkictl/pkictl/apiserver"
	"github.com/pkictl/pkictl/internal/shell"
)

// newPatch plans the change and checks it. It returns the patch also where that
// would not come back.
func (f *flowAPIServer) newPatch() (*apiserver.Patch, error) {
	o := apiserver.PatchOptions{Manifest: f.manifestPath(), Backups: f.backups, Undo: f.does(apiUndo), Now: f.Now()}
	if !o.Undo {
		var err error
		if o.Options, err = f.read(f.topics); err != nil {
			return nil, err
		}
		o.Dir = f.configDir
	}
	return apiserver.NewPatch(o)
}

func (f *flowAPIServer) reviewPatch() (*review, error) {
	p, err := f.newPatch()
	if p == nil || err != nil && p.Found == nil {
		return nil, err
	}
	r := f.patchReview(p)
	f.patch = p
	if r.nothing != "" {
		f.patch = nil
	}
	return r, nil
}

// patchReview says what writing a patch would do, or why it is not written.
func (f *flowAPIServer) patchReview(p *apiserver.Patch) *review {
	r := &review{
		rows:     []row{{"manifest", p.Path}, {"backups", p.Backups}},
		warnings: p.Warnings,
		preview:  p.Diff(),
		question: "Write this?",
	}
	for _, file := range p.Files {
		r.writes = append(r.writes, fileToBe{file.Path, uint32(file.Mode.Perm()), file.Why, file.Old != nil})
	}
	if p.ChangesManifest() {
		r.writes = append(r.writes, fileToBe{path: p.Path, what: "the manifest; mode and owner stay", replaces: true})
	}
	if f.waits() {
		r.rows = append(r.rows, row{"then", "wait for kube-apiserver for " + f.waitTimeout().String()})
	}
	switch {
	case len(p.Found) > 0:
		f.block(r, p.Found)
	case !p.Changes() && p.CutShort != "" && f.waits():
		r.question = "Wait for it?"
	case !p.Changes():
		r.nothing = "There is nothing to change: the manifest and its files say all of this already."
	case f.does(apiUndo):
		r.question = "Put the backup back?"
	}
	return r
}

// block says what was found, and the command that does not mind.
func (f *flowAPIServer) block(r *review, found []apiserver.Problem) {
	r.nothing, r.writes = "kube-apiserver would not come back, so nothing is written.", nil
	var warnings []string
	for _, problem := range found {
		text := problem.Message
		if problem.Hint != "" {
			text += "; hint: " + problem.Hint
		}
		warnings = append(warnings, text)
	}
	r.warnings = warnings // what else there is to know, can wait
	if f.does(apiCheck) {
		return
	}
	words := []string{f.Program}
	for _, arg := range append(f.command(), "--force") {
		words = append(words, shell.Quote(arg))
	}
	r.warnings = append(r.warnings, "who knows better has it written all the same with: "+strings.Join(words, " "))
}

func (f *flowAPIServer) waitTimeout() time.Duration {
	if d, err := time.ParseDuration(f.timeout); err == nil {
		return d
	}
	return apiserver.WaitTimeout
}

// runPatch writes the change that was shown.
func (f *flowAPIServer) runPatch(ctx context.Context, j *job) (*outcome, error) {
	p := f.patch
	if f.patch = nil; p == nil {
		var err error
		if p, err = f.newPatch(); err != nil {
			return nil, err
		}
	}
	isAwaited := f.waits() && p.CutShort != ""
	if !p.Changes() && !isAwaited {
		return &outcome{headline: "Nothing to change", rows: []row{{"manifest", p.Path}}}, nil
	}
	written, result, err := f.write(ctx, j, p)
	if err != nil {
		return logTail(result), err
	}
	return f.patched(p, written, result), nil
}

// write writes a patch, and waits if it is to.
func (f *flowAPIServer) write(ctx context.Context, j *job, p *apiserver.Patch) (*apiserver.Written, *apiserver.WaitResult, error) {
	waiting := func() { j.waiting(filepath.Dir(p.Path)) }
	j.begin("Writing " + p.Path)
	if !f.waits() {
		written, err := p.Write(ctx, waiting)
		return written, nil, err
	}
	written, result, err := p.WriteAndWait(ctx, waiting, apiserver.WaitOptions{Timeout: f.waitTimeout(), Progress: j.begin})
	return written, result, err
}

// logTail shows the last lines of the log of a kube-apiserver that did not come
// back.
func logTail(result *apiserver.WaitResult) *outcome {
	if result == nil || len(result.Tail) == 0 {
		return nil
	}
	return &outcome{text: "The last lines of " + result.Log + ":\n" + strings.Join(result.Tail, "\n")}
}

// patched says what was written.
func (f *flowAPIServer) patched(p *apiserver.Patch, written *apiserver.Written, result *apiserver.WaitResult) *outcome {
	out := &outcome{headline: "Changed " + p.Path}
	if f.does(apiUndo) {
		out.headline = "Put back " + p.Path
	}
	for _, file := range p.Files {
		out.rows = append(out.rows, row{"wrote", file.Path})
	}
	if written != nil && written.Backup != "" {
		out.rows = append(out.rows, row{"backup", written.Backup})
	}
	if result != nil {
		out.rows = append(out.rows, row{"healthy", result.Proof})
	}
	switch {
	case !p.Changes():
		out.headline = "kube-apiserver is healthy with " + p.Path
	case !p.ChangesManifest():
		out.headline = "Wrote the files"
		out.warnings = append(out.warnings, p.Path+" stays as it is: kube-apiserver reads the files when it is next started")
		return out
	case result == nil:
		out.next = append(out.next, nextStep{why: "Watch it come back, which the kubelet now sees to", args: []string{"kubectl", "get", "--raw", "/readyz"}})
	}
	undo := "If need be, take the change back"
	if f.does(apiUndo) {
		undo = "Undo that"
	}
	args := appendFlag([]string{f.Program, "apiserver", "patch"}, "--manifest", p.Path, apiserver.DefaultManifest)
	args = append(appendFlag(args, "--backup-dir", f.backups, ""), "--undo")
	out.next = append(out.next,
		nextStep{why: undo, args: args, open: f.undoFlow(p.Path)},
		nextStep{why: "Hold it against the CIS benchmark", args: []string{f.Program, "apiserver", "check", p.Path}},
	)
	return out
}

// undoFlow opens a flow that takes a change back.
func (f *flowAPIServer) undoFlow(manifest string) func(*world) screen {
	return func(w *world) screen {
		undo := newFlowAPIServer(w)
		undo.what, undo.manifest, undo.backups, undo.timeout = apiUndo, manifest, f.backups, f.timeout
		undo.waitHere, undo.waitThere = f.waitHere, f.waitThere
		return newForm(w, undo)
	}
}
