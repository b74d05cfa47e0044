package apiserver

import (
	"slices"

	"github.com/pkictl/pkictl/internal/failure"
	"github.com/pkictl/pkictl/internal/store"
)

// Components whose manifests are looked at beside that of kube-apiserver.
const (
	componentControllerManager = "kube-controller-manager"
	componentScheduler         = "kube-scheduler"
	componentEtcd              = "etcd"
)

// Status is how a check ended.
type Status string

// How a check can end.
const (
	StatusPass Status = "pass"
	StatusFail Status = "fail"
	// StatusWarn is for what the benchmark recommends and not every cluster needs.
	StatusWarn Status = "warn"
	// StatusUnknown is for what cannot be told from here.
	StatusUnknown Status = "unknown"
)

// Check is a recommendation of the CIS Kubernetes Benchmark, version 1.12, as
// kube-bench numbers it (cfg/cis-1.12).
type Check struct {
	ID        string `json:"id"`
	Title     string `json:"title"`
	Component string `json:"component"` // whose manifest says it
	Wanted    string `json:"wanted"`
	// Depends says that not every cluster needs it: it is a warning, never a failure.
	Depends bool `json:"depends,omitempty"`

	flags []string // that say it, for the recipe
	judge func(c *cisChecker, p *checkedPod) finding
	mend  *Fix
}

// finding is what judging a check has come to.
type finding struct {
	status Status
	found  string
	flag   string // that says it, for its line
	file   string // where it is, if not in the manifest
	line   int
	note   string
	unread error // of a file that may not be read
	// mend takes the place of the check's own Fix.
	mend *Fix
}

// CheckResult is a check with what was found.
type CheckResult struct {
	Check
	Status Status `json:"status"`
	Found  string `json:"found"`
	Node   string `json:"node,omitempty"` // with --live
	File   string `json:"file,omitempty"`
	Line   int    `json:"line,omitempty"`
	Note   string `json:"note,omitempty"` // worth to know, whatever the status
	Fix    *Fix   `json:"fix,omitempty"`  // of what did not pass
}

// CheckOptions is what the command apiserver check takes.
type CheckOptions struct {
	// Path is the manifest of kube-apiserver, or the directory of manifests, in
	// which those of the other components are looked at, too.
	Path string
	// Owner is whom manifests have to belong to, as USER or USER:GROUP. Empty:
	// root:root for root; others who look at a copy own it.
	Owner string
	// Only and Skip are IDs of checks, or of sections: 1.2, 1.2.16.
	Only, Skip []string
}

// CheckReport is what CheckManifests or CheckLive found.
type CheckReport struct {
	OK      bool           `json:"ok"` // nothing failed, and nodes agree
	Checked []CheckedFile  `json:"checked,omitempty"`
	Server  string         `json:"server,omitempty"` // with CheckLive
	Drift   []Drift        `json:"drift,omitempty"`  // between nodes
	Counts  map[Status]int `json:"counts"`
	Results []CheckResult  `json:"checks"`
	Notes   []string       `json:"notes,omitempty"`

	// Fixed are IDs of checks that have just been mended.
	Fixed []string `json:"fixed,omitempty"`
	// Unread are errors of files that may not be read. Their checks are unknown.
	Unread []error `json:"-"`
}

// CheckedFile is a manifest that was looked at.
type CheckedFile struct {
	Component string `json:"component"`
	File      string `json:"file,omitempty"`
	Node      string `json:"node,omitempty"` // with --live
	Version   string `json:"version,omitempty"`
}

// CheckManifests holds a kube-apiserver's manifest, and those beside it if
// o.Path is a directory, against the benchmark. What is not as it should be is in
// the report; an error means that a manifest could not be read.
func CheckManifests(o CheckOptions) (*CheckReport, error) {
	selected, err := SelectChecks(o)
	if err != nil {
		return nil, err
	}
	pods, err := readPods(o.Path)
	if err != nil {
		return nil, err
	}
	c := &cisChecker{o: o, pods: pods}
	if c.owner, err = wantedOwner(o); err != nil {
		return nil, err
	}
	report := new(CheckReport)
	for _, p := range pods {
		report.Checked = append(report.Checked, CheckedFile{Component: p.component, File: p.file, Version: p.version})
	}
	report.Results = c.run(selected)
	report.Unread = c.unread
	report.conclude()
	return report, nil
}

// cisChecker is a check under way.
type cisChecker struct {
	o     CheckOptions
	owner store.Owner
	pods  []*checkedPod

	unread []error // of files that may not be read
}

// run judges the checks of the components that are there.
func (c *cisChecker) run(checks []Check) []CheckResult {
	var results []CheckResult
	for _, check := range checks {
		p := c.pod(check.Component)
		if p == nil || p.file == "" && check.isAboutFile() {
			continue
		}
		results = append(results, c.result(check, p))
	}
	return results
}

func (c *cisChecker) pod(component string) *checkedPod {
	i := slices.IndexFunc(c.pods, func(p *checkedPod) bool { return p.component == component })
	if i < 0 {
		return nil
	}
	return c.pods[i]
}

// judge judges a check. etcd takes no flags beside a file for --config-file.
func (c *cisChecker) judge(check Check, p *checkedPod) finding {
	if file, _ := p.value("config-file"); file != "" && p.component == componentEtcd && !check.isAboutFile() {
		return unknown(file+" says it: etcd takes no flags beside --config-file", "config-file")
	}
	return check.judge(c, p)
}

func (c *cisChecker) result(check Check, p *checkedPod) CheckResult {
	f := c.judge(check, p)
	if f.unread != nil && !slices.ContainsFunc(c.unread, func(err error) bool { return err.Error() == f.unread.Error() }) {
		c.unread = append(c.unread, f.unread)
	}
	r := CheckResult{Check: check, Status: f.status, Found: f.found, Node: p.node, File: p.file, Line: f.line, Note: f.note}
	if f.file != "" {
		r.File = f.file
	} else if f.flag != "" {
		r.Line = p.line(f.flag)
	}
	if r.Status == StatusFail && check.Depends {
		r.Status = StatusWarn
	}
	if r.Status == StatusFail || r.Status == StatusWarn {
		r.Fix = check.mend
		if f.mend != nil {
			r.Fix = f.mend
		}
		r.Fix = r.Fix.of(p)
	}
	return r
}

// Manifest returns the path of kube-apiserver's manifest, empty with CheckLive.
func (r *CheckReport) Manifest() string {
	for _, c := range r.Checked {
		if c.Component == Component {
			return c.File
		}
	}
	return ""
}

// conclude counts.
func (r *CheckReport) conclude() {
	r.Counts = map[Status]int{}
	for _, result := range r.Results {
		r.Counts[result.Status]++
	}
	r.OK = r.Counts[StatusFail] == 0 && r.Drift == nil
}

// SelectChecks returns the checks that are asked for, in their order.
func SelectChecks(o CheckOptions) ([]Check, error) {
	all := Checks()
	for _, id := range slices.Concat(o.Only, o.Skip) {
		if !slices.ContainsFunc(all, func(c Check) bool { return c.isBelow(id) }) {
			hint := "see: pkictl apiserver check --list"
			if isPKICheck(id) {
				hint = "files of the PKI and kubeconfigs are checked by: pkictl cluster check"
			}
			return nil, failure.New(failure.Usage, hint, "there is no check %q here", id)
		}
	}
	var selected []Check
	for _, check := range all {
		is := func(id string) bool { return check.isBelow(id) }
		if (o.Only == nil || slices.ContainsFunc(o.Only, is)) && !slices.ContainsFunc(o.Skip, is) {
			selected = append(selected, check)
		}
	}
	if selected == nil {
		return nil, failure.New(failure.Usage, "leave out --skip or --only", "no check is left")
	}
	return selected, nil
}
