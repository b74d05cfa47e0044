package apiserver

import (
	"cmp"
	"fmt"
	"path"
	"slices"
	"strconv"
	"time"

	"github.com/pkictl/pkictl/apiserver/audit"
	"github.com/pkictl/pkictl/internal/failure"
)

// DefaultAuditLog is where the audit log goes if there is a policy and nothing
// says where to.
const DefaultAuditLog = "/var/log/kubernetes/audit/audit.log"

// The least that the CIS Kubernetes Benchmark wants (1.2.17 to 1.2.19).
const (
	minAuditMaxAge    = 30  // days
	minAuditMaxBackup = 10  // files
	minAuditMaxSize   = 100 // megabytes
)

// limits are the flags of an audit log's limits, with their fields.
func (o *AuditOptions) limits() []auditLimit {
	return []auditLimit{
		{"audit-log-maxage", "days that old logs stay (CIS 1.2.17)", &o.MaxAge, minAuditMaxAge},
		{"audit-log-maxbackup", "old logs that stay (CIS 1.2.18)", &o.MaxBackup, minAuditMaxBackup},
		{"audit-log-maxsize", "megabytes until a new log begins (CIS 1.2.19)", &o.MaxSize, minAuditMaxSize},
	}
}

type auditLimit struct {
	flag, why string
	value     *int
	least     int
}

// keep takes what a kube-apiserver's flags say of its policy and its log already,
// where something about them is asked for and this is not. With hardened a limit
// below the benchmark's is not kept.
func (o *AuditOptions) keep(current func(name string) (string, bool), hardened bool) {
	hasPolicy := o.PolicyFile != "" || o.Preset != "" || o.Policy.Data != nil
	if !hasPolicy && !hardened && o.LogPath == "" && o.WebhookConfig == "" && o.MaxAge == 0 && o.MaxBackup == 0 && o.MaxSize == 0 {
		return
	}
	if policy, _ := current("audit-policy-file"); !hasPolicy && checkPath("audit-policy-file", policy) == nil {
		o.PolicyFile = policy
	}
	if log, _ := current("audit-log-path"); o.LogPath == "" && (log == "-" || checkPath("audit-log-path", log) == nil) {
		o.LogPath = log
	}
	for _, limit := range o.limits() {
		text, _ := current(limit.flag)
		if n, err := strconv.Atoi(text); err == nil && *limit.value == 0 && n > 0 && (!hardened || n >= limit.least) {
			*limit.value = n
		}
	}
}

// auditing is about the audit log and the audit webhook.
func (p *planner) auditing() error {
	if err := p.auditPolicy(); err != nil {
		return err
	}
	if err := p.auditLog(); err != nil {
		return err
	}
	return p.auditWebhook()
}

func (p *planner) auditPolicy() error {
	o := &p.Audit
	if err := p.auditPreset(); err != nil {
		return err
	}
	if o.Policy.Data != nil {
		if err := p.lintPolicy(); err != nil {
			return err
		}
		o.PolicyFile = cmp.Or(o.PolicyFile, p.below("audit-policy.yaml"))
	}
	if o.PolicyFile == "" {
		if o.LogPath != "" || o.WebhookConfig != "" {
			p.note("without --audit-policy-file kube-apiserver logs nothing, wherever the log goes")
		}
		return nil
	}
	if o.LogPath == "" && (o.WebhookConfig == "" || p.Hardened) {
		o.LogPath = DefaultAuditLog
	}
	p.file(File{Path: o.PolicyFile, Mode: 0o600, Data: o.Policy.Data, Why: "the audit policy"})
	return p.setPath("audit-policy-file", o.PolicyFile, "which requests are logged, and how much of them (CIS 3.2.1)")
}

// lintPolicy refuses a policy with which kube-apiserver would not start, and one
// with a field that it passes over: its rules are wider than they look.
func (p *planner) lintPolicy() error {
	o := p.Audit
	if o.Preset != "" { // written by the same package
		return nil
	}
	findings, err := audit.Lint(o.Policy.Name, o.Policy.Data)
	if err != nil {
		return err
	}
	more := 0
	for _, f := range findings {
		switch {
		case f.Severity == audit.SeverityError, f.ID == "unknown-field":
			return failure.New(failure.Usage, cmp.Or(f.Mend, "see: pkictl audit lint FILE"), "%q, line %d, column %d: %s", o.Policy.Name, f.Line, f.Column, f.Message)
		case f.Severity == audit.SeverityFinding:
			more++
		}
	}
	if more > 0 {
		p.note(fmt.Sprintf("the audit policy may not do what it says (findings: %d); see: pkictl audit lint %s", more, o.Policy.Name))
	}
	_, err = audit.Parse(o.Policy.Name, o.Policy.Data)
	return err
}

// auditPreset makes the policy of a preset.
func (p *planner) auditPreset() error {
	o := &p.Audit
	if p.Hardened && o.Preset == "" && o.Policy.Data == nil && o.PolicyFile == "" {
		o.Preset = audit.DefaultPreset
	}
	if o.Preset == "" {
		return nil
	}
	if o.Policy.Data != nil {
		return failure.New(failure.Usage, "leave one of them out", "--audit-preset and --audit-policy-from are two policies")
	}
	data, err := audit.Generate(audit.Options{Preset: o.Preset})
	o.Policy = Contents{Name: "audit preset " + o.Preset, Data: data}
	return err
}

func (p *planner) auditLog() error {
	o := p.Audit
	if o.LogPath == "" {
		if o.MaxAge != 0 || o.MaxBackup != 0 || o.MaxSize != 0 {
			return failure.New(failure.Usage, "add --audit-log-path", "--audit-log-maxage, --audit-log-maxbackup and --audit-log-maxsize are for an audit log")
		}
		return nil
	}
	if o.LogPath == "-" {
		p.set("audit-log-path", "-", "standard output, among the other lines of kube-apiserver (CIS 1.2.16)")
		return nil
	}
	if err := p.setPath("audit-log-path", o.LogPath, "where the audit log goes (CIS 1.2.16)"); err != nil {
		return err
	}
	p.file(File{Path: path.Dir(o.LogPath), Mode: 0o700, Dir: true, Why: "the directory of the audit log; old logs stay in it"})
	for _, limit := range o.limits() {
		if *limit.value < 0 {
			return failure.New(failure.Usage, "the default is "+strconv.Itoa(limit.least), "--%s %d is less than nothing", limit.flag, *limit.value)
		}
		p.set(limit.flag, strconv.Itoa(cmp.Or(*limit.value, limit.least)), limit.why)
	}
	return nil
}

// webhookModes are those of k8s.io/apiserver/pkg/server/options.AllowedModes.
var webhookModes = []string{"batch", "blocking", "blocking-strict"}

func (p *planner) auditWebhook() error {
	o := p.Audit
	if o.WebhookConfig == "" {
		if o.WebhookMode != "" || o.WebhookBatchMaxSize != 0 || o.WebhookBatchMaxWait != "" {
			return failure.New(failure.Usage, "add --audit-webhook-config-file", "--audit-webhook-mode and --audit-webhook-batch-* are for an audit webhook")
		}
		return nil
	}
	if err := p.setPath("audit-webhook-config-file", o.WebhookConfig, "a kubeconfig that names the receiver of events"); err != nil {
		return err
	}
	p.file(File{Path: o.WebhookConfig, Mode: 0o600, Why: "the kubeconfig of the audit webhook"})
	mode := cmp.Or(o.WebhookMode, "batch")
	if !slices.Contains(webhookModes, mode) {
		return failure.New(failure.Usage, "choose one of batch, blocking, blocking-strict", "unknown mode %q of --audit-webhook-mode", mode)
	}
	why := "events are sent in batches, and do not hold up requests"
	if mode != "batch" {
		why = "a request waits until its event is sent"
	}
	p.set("audit-webhook-mode", mode, why)
	return p.auditWebhookBatch(mode)
}

func (p *planner) auditWebhookBatch(mode string) error {
	o := p.Audit
	if mode != "batch" && (o.WebhookBatchMaxSize != 0 || o.WebhookBatchMaxWait != "") {
		return failure.New(failure.Usage, "leave it out, or take --audit-webhook-mode batch", "--audit-webhook-batch-* makes no sense with the mode %s", mode)
	}
	if o.WebhookBatchMaxSize < 0 {
		return failure.New(failure.Usage, "kube-apiserver's default is 400", "--audit-webhook-batch-max-size %d is less than one event", o.WebhookBatchMaxSize)
	}
	if o.WebhookBatchMaxSize > 0 {
		p.set("audit-webhook-batch-max-size", strconv.Itoa(o.WebhookBatchMaxSize), "events in a batch")
	}
	if o.WebhookBatchMaxWait != "" {
		if d, err := time.ParseDuration(o.WebhookBatchMaxWait); err != nil || d <= 0 {
			return failure.New(failure.Usage, "write it like 5s", "--audit-webhook-batch-max-wait %q is not a time to wait", o.WebhookBatchMaxWait)
		}
		p.set("audit-webhook-batch-max-wait", o.WebhookBatchMaxWait, "until a batch goes that is not full")
	}
	return nil
}
