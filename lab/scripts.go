package lab

import (
	"errors"
	"io/fs"
	"path"
	"strings"

	"github.com/pkictl/pkictl/internal/failure"
)

// maxScript is more than a solution of an exam's task needs.
const maxScript = 64 << 10

// readScripts reads the solutions, which may be missing, and the mutants' scripts.
func (l *Lab) readScripts(dir string) error {
	for name, to := range map[string]*string{"tools.sh": &l.Solution.Tools, "pkictl.sh": &l.Solution.Pkictl, "second.sh": &l.Solution.Second} {
		text, err := readScript(l.given, path.Join("solution", name), dir)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		*to = text
	}
	for i := range l.Mutants {
		text, err := readScript(l.given, path.Join("mutants", l.Mutants[i].ID+".sh"), dir)
		if err != nil {
			return failure.Wrap(err, failure.Usage, "each of its mutants has a script", "lab %q", l.ID)
		}
		l.Mutants[i].Script = text
	}
	return nil
}

// readScript returns the commands of a script. Its first line, which names the
// shell, is for those who run it as a program.
func readScript(files fs.FS, name, dir string) (string, error) {
	data, err := readGiven(files, name, dir, maxScript)
	if err != nil {
		return "", err
	}
	text := string(data)
	if strings.HasPrefix(text, "#!") {
		_, text, _ = strings.Cut(text, "\n")
	}
	return strings.TrimSpace(text) + "\n", nil
}
