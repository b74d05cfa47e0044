package apiserver

import (
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/pkictl/pkictl/internal/failure"
)

// Problem is something that would keep kube-apiserver from starting, or from
// doing what it is told.
type Problem struct {
	Message string `json:"finding"`
	Hint    string `json:"hint,omitempty"`

	missing string // a file of the host that is not there
}

// foundError is the error for what would be wrong after a change.
func foundError(found []Problem) error {
	const most = 5
	var texts []string
	for _, p := range found[:min(most, len(found))] {
		texts = append(texts, p.Message)
	}
	more := ""
	if len(found) > most {
		more = fmt.Sprintf("; and %d more", len(found)-most)
	}
	hint := found[0].Hint
	if hint != "" {
		hint += "; or "
	}
	return failure.New(failure.Finding, hint+"have it written all the same with --force", "kube-apiserver would not come back: %s%s", strings.Join(texts, "; "), more)
}

// check looks for problems in the manifest as it would be. Those that it has
// before are warnings.
func (p *Patch) check(o PatchOptions, before, after *Manifest) {
	v := p.version(o.Version, after)
	made := map[string]PatchFile{}
	for _, file := range p.Files {
		made[file.Path] = file
	}
	found := problemsOf(after, v, made)
	if found == nil {
		return
	}
	known := map[string]bool{}
	for _, problem := range problemsOf(before, v, nil) {
		known[problem.Message] = true
	}
	var old []Problem
	for _, problem := range found {
		if known[problem.Message] {
			old = append(old, problem)
		} else {
			p.Found = append(p.Found, problem)
		}
	}
	p.warnOfOld(old)
}

// warnOfOld warns of problems that were there before. Files that are missing
// are one: most often it is then not the node.
func (p *Patch) warnOfOld(old []Problem) {
	var missing []string
	for _, problem := range old {
		if problem.missing != "" {
			missing = append(missing, problem.missing)
		}
	}
	for _, problem := range old {
		if problem.missing == "" || len(missing) < 3 {
			p.warn("as it is: %s", problem.Message)
		}
	}
	if len(missing) >= 3 {
		p.warn("%d files that the manifest names are not on this host, as %q: is this the node?", len(missing), missing[0])
	}
}

// version returns the version whose flags are known, of what was asked for or of
// the image.
func (p *Patch) version(text string, m *Manifest) Version {
	if text == "" {
		text = m.Version()
	}
	v, err := ParseVersion(text)
	if err != nil {
		return NewestKnown()
	}
	return v
}

// checker looks for problems in one manifest.
type checker struct {
	*Manifest
	version Version
	made    map[string]PatchFile // by path, what will be there
	found   []Problem
}

func problemsOf(m *Manifest, v Version, made map[string]PatchFile) []Problem {
	c := &checker{Manifest: m, version: v, made: made}
	flags := m.Flags()
	c.checkWords(flags)
	for _, f := range flags {
		c.checkFlag(f)
	}
	c.checkTogether(flags)
	c.checkProbes()
	c.checkPairs()
	c.checkVolumes()
	return c.found
}

func (c *checker) add(hint, format string, args ...any) {
	p := Problem{Message: fmt.Sprintf(format, args...), Hint: hint}
	if !slices.Contains(c.found, p) {
		c.found = append(c.found, p)
	}
}

// addError adds what an error says.
func (c *checker) addError(err error) {
	if err != nil {
		c.add(failure.HintOf(err), "%s", err)
	}
}

// checkWords looks for words that are neither flags nor values of flags.
func (c *checker) checkWords(flags []ManifestFlag) {
	at := c.programAt(c.words) + 1
	for _, f := range flags {
		c.strayWords(at, f.from)
		at = f.to
	}
	c.strayWords(at, len(c.words))
}

func (c *checker) strayWords(from, to int) {
	for _, w := range c.words[from:max(from, to)] {
		c.add("a flag of yes or no takes its value behind =", "kube-apiserver takes no argument %q", w.value)
	}
}

// checkFlag checks a flag: that there is such a one, its value, and its paths.
func (c *checker) checkFlag(f ManifestFlag) {
	known, err := Known(f.Name, c.version)
	if err != nil {
		c.addError(err)
		return
	}
	if strings.Contains(f.Value, "$(") { // which the kubelet replaces from the environment
		return
	}
	if err := known.CheckValue(f.Value); err != nil {
		c.addError(err)
		return
	}
	for _, file := range known.Paths(f.Value) {
		if host := c.checkPath("--"+f.Name, known.Path, file); host != "" {
			c.checkFile(f.Name, host)
		}
		for _, named := range namedPaths(f.Name, file, c.readSeen) {
			if host := c.checkPath("the file of --"+f.Name, named.use, named.path); host != "" {
				c.checkThere("the file of --"+f.Name, host)
			}
		}
	}
}

// checkPath checks that kube-apiserver sees the path that somebody names. It
// returns where it is on the host, if it has to be there already.
func (c *checker) checkPath(by string, use PathUse, file string) (host string) {
	if !path.IsAbs(file) || use == PathDirectory {
		return "" // in the container, or made there
	}
	file = path.Clean(file)
	seen := file
	if use == PathWritten {
		seen = path.Dir(file)
	}
	at := c.Component.MountOf(seen)
	if at < 0 {
		c.add("mount it", "%s names %q, which no volume brings into the container", by, file)
		return ""
	}
	mount := c.mountAt(at)
	if use == PathWritten && mount.ReadOnly {
		c.add("take readOnly out of that mount", "%s names %q, but %q is mounted read-only", by, file, mount.MountPath)
	}
	host, isHost := c.HostPath(file)
	if !isHost || use == PathWritten || use == PathSocket {
		return ""
	}
	return host
}

// checkTogether checks whether one flag stands against another.
func (c *checker) checkTogether(flags []ManifestFlag) {
	set := flagSet{}
	for _, f := range flags {
		if addsUp(f.Name) || !set.has(f.Name) {
			set[f.Name] = append(set[f.Name], f.Value)
		} else {
			set[f.Name] = []string{f.Value} // the last counts
		}
	}
	for _, check := range []func(flagSet, Version) error{checkExclusive, checkDependent, checkPlugins} {
		c.addError(check(set, c.version))
	}
}

// checkProbes: the kubelet shows no credentials when it asks for the health of a
// container, and ends one that refuses.
func (c *checker) checkProbes() {
	value, _ := c.Value("anonymous-auth")
	allowed, err := strconv.ParseBool(value)
	by, allows := "--anonymous-auth=false", func(string) bool { return err != nil || allowed }
	if file, _ := c.Value("authentication-config"); file != "" {
		data, _ := c.readSeen(file) // without it, that is found above
		if anonymous := readAnonymous(data); anonymous != nil {
			by, allows = "the file of --authentication-config", anonymous.allows
		}
	}
	for _, path := range endingProbes(c.Component.Container) {
		if !allows(path) {
			c.add("take --anonymous probes, which refuses requests without credentials elsewhere",
				"with %s the kubelet's probe of %s is refused, and it restarts kube-apiserver without end", by, path)
			return
		}
	}
}
