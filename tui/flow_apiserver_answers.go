package tui

import (
	"bytes"
	"encoding/csv"
	"slices"
	"strconv"
	"strings"

	"github.com/pkictl/pkictl/apiserver"
	"github.com/pkictl/pkictl/apiserver/audit"
)

// Where an audit policy comes from, beside presets.
const (
	auditFromFile = "file"
	auditFromHost = "host"
	auditPreset   = "preset "
)

func apiPreset(name string) string { return auditPreset + name }

// anonymousPaths stands for those that are named.
const anonymousPaths = "paths"

// apiAnswers are the answers about what kube-apiserver is to do.
type apiAnswers struct {
	auditFrom, policyFrom, policyFile   string
	logPath, maxAge, maxBackup, maxSize string
	toStdout                            bool

	encrypt                        []string
	provider, kmsEndpoint, kmsName string
	reload                         bool

	podSecurity       string
	podSecurityExempt []string
	enable, disable   []string

	anonymous   string
	anonymousAt []string

	tlsMin        string
	strongCiphers bool
	kubeletCA     string

	set   [4]string
	unset []string
}

func newAPIAnswers() apiAnswers {
	return apiAnswers{
		auditFrom: apiPreset(audit.DefaultPreset), encrypt: []string{"secrets"}, provider: "secretbox",
		podSecurity: "baseline", anonymous: "probes", tlsMin: "1.2", strongCiphers: true,
	}
}

// options are what the answers to the topics say, but for the contents of files,
// which read adds.
func (a *apiAnswers) options(topics []string) apiserver.Options {
	var o apiserver.Options
	for _, topic := range topics {
		switch topic {
		case topicAudit:
			o.Audit = a.audit()
		case topicEncryption:
			o.Encryption = apiserver.EncryptionOptions{Resources: a.encrypt, Reload: a.reload}
			if a.provider != "secretbox" {
				o.Encryption.Provider = a.provider
			}
			if a.provider == "kms" {
				o.Encryption.KMSEndpoint, o.Encryption.KMSName = a.kmsEndpoint, a.kmsName
			}
		case topicPodSecurity:
			o.Admission.PodSecurity, o.Admission.PodSecurityExempt = a.podSecurity, a.podSecurityExempt
		case topicAdmission:
			o.Admission.Enable, o.Admission.Disable = a.enable, a.disable
		case topicAnonymous:
			o.Authentication.Anonymous = strings.Split(a.anonymous, ",")
			if a.anonymous == anonymousPaths {
				o.Authentication.Anonymous = a.anonymousAt
			}
		case topicTLS:
			o.TLS.MinVersion, o.TLS.StrongCiphers = a.tlsMin, a.strongCiphers
		case topicCIS:
			o.Hardened, o.Kubelet.CA = true, a.kubeletCA
		case topicOther:
			o.Set, o.Remove = a.setFlags(), a.unset
		}
	}
	return o
}

func (a *apiAnswers) audit() apiserver.AuditOptions {
	o := apiserver.AuditOptions{LogPath: a.logPath}
	switch preset, isPreset := strings.CutPrefix(a.auditFrom, auditPreset); {
	case isPreset:
		o.Preset = preset
	case a.auditFrom == auditFromHost:
		o.PolicyFile = a.policyFile
	}
	if a.toStdout {
		o.LogPath = "-"
	}
	if o.LogPath != "-" {
		o.MaxAge, o.MaxBackup, o.MaxSize = apiNumber(a.maxAge), apiNumber(a.maxBackup), apiNumber(a.maxSize)
	}
	return o
}

// apiNumber reads a number that was checked; 0 stands for what is usual.
func apiNumber(text string) int {
	n, _ := strconv.Atoi(text)
	return n
}

// read returns the options with what is in the files that they name.
func (a *apiAnswers) read(topics []string) (apiserver.Options, error) {
	o := a.options(topics)
	if !slices.Contains(topics, topicAudit) || a.auditFrom != auditFromFile {
		return o, nil
	}
	var err error
	o.Audit.Policy, err = apiserver.ReadContents(a.policyFrom)
	return o, err
}

func (a *apiAnswers) setFlags() []string {
	return slices.DeleteFunc(slices.Clone(a.set[:]), func(s string) bool { return s == "" })
}

// args are the flags that say what the options say.
func (a *apiAnswers) args(topics []string) []string {
	o := a.options(topics)
	var args []string
	add := func(name, value string) { args = appendFlag(args, "--"+name, value, "") }
	if o.Hardened {
		args = append(args, "--cis")
	}
	add("audit-preset", o.Audit.Preset)
	if slices.Contains(topics, topicAudit) && a.auditFrom == auditFromFile {
		add("audit-policy-from", a.policyFrom)
	}
	add("audit-policy-file", o.Audit.PolicyFile)
	add("audit-log-path", o.Audit.LogPath)
	for _, limit := range []struct {
		name  string
		value int
	}{{"audit-log-maxage", o.Audit.MaxAge}, {"audit-log-maxbackup", o.Audit.MaxBackup}, {"audit-log-maxsize", o.Audit.MaxSize}} {
		if limit.value != 0 {
			add(limit.name, strconv.Itoa(limit.value))
		}
	}
	add("encrypt", asList(o.Encryption.Resources))
	add("encryption-provider", o.Encryption.Provider)
	add("kms-endpoint", o.Encryption.KMSEndpoint)
	add("kms-name", o.Encryption.KMSName)
	if o.Encryption.Reload {
		args = append(args, "--encryption-provider-config-automatic-reload")
	}
	add("pod-security", o.Admission.PodSecurity)
	add("pod-security-exempt", asList(o.Admission.PodSecurityExempt))
	add("enable-admission-plugins", asList(o.Admission.Enable))
	add("disable-admission-plugins", asList(o.Admission.Disable))
	add("kubelet-certificate-authority", o.Kubelet.CA)
	add("tls-min-version", o.TLS.MinVersion)
	if o.TLS.StrongCiphers {
		add("tls-cipher-suites", "strong")
	}
	add("anonymous", asList(o.Authentication.Anonymous))
	for _, text := range o.Set {
		add("set", text)
	}
	for _, name := range o.Remove {
		add("unset", name)
	}
	return args
}

// asList writes a list for a flag that takes one with commas, in which what has a
// comma or a quote is quoted (RFC 4180).
func asList(list []string) string {
	if len(list) == 0 {
		return ""
	}
	var b bytes.Buffer
	w := csv.NewWriter(&b)
	_ = w.Write(list) // into a buffer
	w.Flush()
	return strings.TrimSuffix(b.String(), "\n")
}
