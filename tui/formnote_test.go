package tui

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/pkictl/pkictl/internal/failure"
	"github.com/pkictl/pkictl/internal/store"
)

// noteFlow is a small flow that does something real: it writes a note to a file,
// durably, as everything else is written.
type noteFlow struct {
	dir string

	name, text, validity string
	groups               []string
	kind, profile        string
	marks                []string
	private, more        bool
	extra                string
	clusters             []string // loaded

	secret  string // "": none; "old", "new"
	got     []byte // the passphrase that came, before it was cleared
	gotErr  error
	loadErr error
	ran     int
	hold    chan struct{} // run waits for it, or for its end
	ended   chan struct{} // closed when run returns
}

func (f *noteFlow) title() string { return "Note" }

func (f *noteFlow) steps() []step {
	if f.kind == "" {
		f.kind, f.profile = "plain", "client"
	}
	return []step{
		{
			title: "What it is called", intro: "A note is a file of its own. Its name is the name of the file; nobody else gets to see it unless you say so.",
			fields: []field{
				{key: "name", title: "Name", help: "The name of the file, without its ending. For example: todo", text: &f.name, required: true, check: f.checkName},
				{key: "text", title: "Text", help: "What the note says. It may be empty.", text: &f.text},
				{key: "group", title: "Groups", help: "Who it is for, with commas between.", list: &f.groups,
					suggestions: func() []string { return []string{"developers", "operators", "system:masters"} },
					check: func(v string) error {
						if strings.Contains(v, " ") {
							return failure.New(failure.Usage, "put commas between groups", "the group %q holds a space", v)
						}
						return nil
					}},
				{key: "for", title: "Valid for", help: "How long the note is worth reading. Hours, days or years: 8h, 30d, 1y.", text: &f.validity, fallback: func() string { return "365d" }},
				{key: "kind", title: "Kind", help: "What is done with it.", choice: &f.kind, options: func() []option {
					return []option{{"plain", "plain text", "written as it is"}, {"list", "a list", "one line for each word"}, {"loud", "in capitals", "for those who do not hear well"}}
				}},
				{key: "private", title: "Private", help: "Mode 0600 instead of 0644.", yes: &f.private},
				{key: "more", title: "More questions", yes: &f.more},
				{key: "extra", title: "Extra", help: "Only where there are more questions.", text: &f.extra, hidden: func() bool { return !f.more }},
			},
			check: func() error {
				if f.name == f.text {
					return failure.New(failure.Usage, "say something else", "name and text are the same: %q", f.name)
				}
				return nil
			},
		},
		{
			title: "Where it goes", intro: "Clusters that were found.",
			load: func(context.Context) error {
				if f.loadErr != nil {
					return f.loadErr
				}
				f.clusters = nil
				for i := range 30 {
					f.clusters = append(f.clusters, fmt.Sprintf("cluster-%02d", i))
				}
				return nil
			},
			fields: []field{
				{key: "profile", title: "Cluster", choice: &f.profile, help: "The cluster whose note it is.", options: func() []option {
					var all []option
					for _, c := range f.clusters {
						all = append(all, option{value: c})
					}
					return all
				}},
				{key: "mark", title: "Marks", many: &f.marks, options: func() []option {
					return []option{{"red", "", "stop"}, {"green", "", "go"}, {"blue", "", ""}}
				}},
			},
		},
		{
			title: "More", hidden: func() bool { return !f.more },
			fields: []field{{key: "extra", title: "Extra again", text: &f.extra, required: true}},
		},
	}
}

func (f *noteFlow) checkName(name string) error {
	if f.more && name == f.extra {
		return failure.New(failure.Usage, "", "the name %q is that of the extra too", name)
	}
	if strings.ContainsAny(name, "/. ") {
		return failure.New(failure.Usage, "take letters and digits alone", "the name %q cannot be that of a file", name)
	}
	return nil
}

func (f *noteFlow) command() []string {
	args := []string{"note"}
	if f.name != "" {
		args = append(args, "--name", f.name)
	}
	if f.text != "" {
		args = append(args, "--text", f.text)
	}
	for _, g := range f.groups {
		args = append(args, "--group", g)
	}
	if f.private {
		args = append(args, "--private")
	}
	return args
}

func (f *noteFlow) explain(context.Context) (string, error) {
	return "printf '%s\\n' 'the text' > note.txt\nchmod 0644 note.txt\n" + strings.Repeat("# and so on\n", 40), nil
}

func (f *noteFlow) path() string { return filepath.Join(f.dir, f.name+".txt") }

func (f *noteFlow) review(ctx context.Context, j *job) (*review, error) {
	j.begin("looking for " + f.path())
	if _, err := os.Stat(f.path()); err == nil {
		return nil, failure.New(failure.Refused, "take another name", "there is a note %q already", f.path())
	}
	if f.text == "nothing" {
		return &review{nothing: "There is nothing to write."}, nil
	}
	j.warn("a note is kept for ever: who has read it cannot be made to forget")
	return &review{
		rows:     []row{{"name", f.name}, {"text", f.text}, {"groups", strings.Join(f.groups, ", ")}},
		writes:   []fileToBe{{path: f.path(), mode: 0o644, what: "the note"}},
		sends:    []string{"create note " + f.name + " (dry run passed)"},
		preview:  "--- a\n+++ b\n@@ -1 +1 @@\n-old\n+" + f.text + strings.Repeat("\n line", 30),
		question: "Write it?",
	}, ctx.Err()
}

func (f *noteFlow) run(ctx context.Context, j *job) (*outcome, error) {
	f.ran++
	if f.ended != nil {
		defer close(f.ended)
	}
	if f.secret != "" {
		ask := j.passphrase
		if f.secret == "new" {
			ask = j.newPassphrase
		}
		passphrase, err := ask(`key "pki/ca.key"`)
		f.got, f.gotErr = append([]byte(nil), passphrase...), err
		if err != nil {
			return nil, err
		}
		clear(passphrase)
	}
	j.begin("writing " + f.path())
	if f.hold != nil {
		j.waiting(f.dir)
		select {
		case <-f.hold:
		case <-ctx.Done():
			return nil, failure.Wrap(ctx.Err(), failure.Failed, "run it again", "the note %q was not written", f.name)
		}
	}
	if f.text == "fail" {
		j.done("half of it")
		return nil, failure.Wrap(errors.New("disk full"), failure.Failed, "make room", "cannot write the note %q", f.path())
	}
	if err := store.WriteNew(f.path(), []byte(f.text+"\n"), 0o644); err != nil {
		return nil, err
	}
	j.done("wrote " + f.path())
	return &outcome{
		headline: "The note " + f.name + " is written",
		rows:     []row{{"file", f.path()}},
		warnings: []string{"it is not encrypted"},
		next: []nextStep{
			{why: "Read it", args: []string{"cat", f.path()}},
			{why: "Write another", open: func(w *world) screen { return newForm(w, &noteFlow{dir: f.dir}) }},
		},
		text: strings.Repeat("what one may know\n", 40),
	}, nil
}
