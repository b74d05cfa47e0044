package tui

import (
	"cmp"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/pkictl/pkictl/ca"
	"github.com/pkictl/pkictl/internal/failure"
)

// What the flow of a CA may do.
const (
	flowCARoot         = "root"
	flowCAIntermediate = "intermediate"
	flowCAImportDir    = "import"
	flowCAImportFiles  = "files"
)

// flowCA makes a CA, or takes over one that is there: pkictl init-ca.
type flowCA struct {
	*world
	what string

	parent              string
	from, cert, key     string // of an import
	commonName          string
	organizations       []string
	keyKind, validity   string
	pathLength          string
	permitDNS, permitIP []string
	dir                 string
	encrypt             bool

	// given says that a passphrase needs not be typed, so that keys are encrypted
	// in any case.
	given atomic.Bool
	made  []step
}

func newFlowCA(w *world) *flowCA {
	f := &flowCA{world: w, what: flowCARoot, keyKind: string(ca.ECDSAP256)}
	f.made = []step{f.stepWhat(), f.stepName(), f.stepLimits(), f.stepFiles()}
	return f
}

func (f *flowCA) title() string { return "Certificate authority" }

func (f *flowCA) steps() []step { return f.made }

func (f *flowCA) is(what ...string) bool {
	for _, each := range what {
		if f.what == each {
			return true
		}
	}
	return false
}

func (f *flowCA) isNot(what ...string) func() bool { return func() bool { return !f.is(what...) } }

func (f *flowCA) isImport() bool { return f.is(flowCAImportDir, flowCAImportFiles) }

func (f *flowCA) stepWhat() step {
	return step{
		title: "What do you want?",
		intro: "Whatever trusts a certificate authority (CA) trusts every certificate that the CA has signed.",
		check: f.checkParent,
		fields: []field{
			{title: "Make or take over", choice: &f.what, options: flowCAOptions},
			{
				key: "parent", title: "Directory of the CA above", text: &f.parent, hidden: f.isNot(flowCAIntermediate),
				help:     "The CA in this directory signs the new one and records it.",
				fallback: func() string { return f.Dir }, check: typedCheck(ca.CheckHasCA),
			},
			{
				key: "import", title: "Directory to take over", text: &f.from, hidden: f.isNot(flowCAImportDir), required: true,
				help:  "As in /etc/kubernetes/pki. Every certificate below it that this CA has signed is recorded. The old files stay as they are.",
				check: typedCheck(flowCACheckImport),
			},
			{
				key: "cert", title: "File of its certificate", text: &f.cert, hidden: f.isNot(flowCAImportFiles), required: true,
				help:  "In PEM. Those of the CAs above it may stand behind it in the file.",
				check: typedCheck(nil),
			},
			{
				key: "key", title: "File of its key", text: &f.key, hidden: f.isNot(flowCAImportFiles), required: true,
				help:  "In PEM. One that is encrypted stays so, with the passphrase that it has.",
				check: typedCheck(nil),
			},
			{
				key: "import", title: "Directory of what it has signed", text: &f.from, hidden: f.isNot(flowCAImportFiles),
				help:  "Every certificate below it that this CA has signed is recorded. Leave it empty to record none.",
				check: typedCheck(nil),
			},
		},
	}
}

// checkParent is for a directory that was not typed.
func (f *flowCA) checkParent() error {
	if !f.is(flowCAIntermediate) {
		return nil
	}
	return ca.CheckHasCA(f.parentDir())
}

func flowCAOptions() []option {
	return []option{
		{flowCARoot, "Make a root CA", "It signs itself. Most clusters need no more than this."},
		{flowCAIntermediate, "Make an intermediate CA", "Another CA signs it: for a team or a cluster of its own, with limits. Whoever trusts the root accepts what it issues."},
		{flowCAImportDir, "Take over a CA's directory", "Of kubeadm, cfssl, easy-rsa or openssl ca, with a record of what it has signed."},
		{flowCAImportFiles, "Take over a CA from two files", "Its certificate and its key, whatever they are called."},
	}
}

func flowCACheckImport(dir string) error {
	_, err := ca.CheckImport(dir)
	return err
}

func (f *flowCA) stepName() step {
	return step{
		title:  "Name and key",
		intro:  "All of it has a default that suits a cluster. None of it can be changed later.",
		hidden: f.isImport,
		fields: []field{
			{
				key: "cn", title: "Common name", text: &f.commonName, check: typedCheck(ca.CheckCommonName),
				help: "What people see as the issuer of its certificates.",
				fallback: func() string {
					if f.is(flowCAIntermediate) {
						return ca.DefaultIntermediateCommonName
					}
					return ca.DefaultCommonName
				},
			},
			{
				key: "org", title: "Organizations", list: &f.organizations, check: ca.CheckOrganization,
				help: `Part of its name, as in Example Ltd. It may stay empty. With commas between several; one with a comma is typed as Example\, Inc.`,
			},
			{
				key: "key", title: "Key", choice: &f.keyKind, options: keyOptions,
				help: "A key in a PKCS#11 token, such as an HSM, is for the command line: " + f.Program + " init-ca --pkcs11 URI.",
			},
			{
				key: "validity", title: "Valid for", text: &f.validity, check: typedCheck(checkValidity),
				help: "As in 10y, 3650d. No certificate lives longer than its CA, and all trust has to be set up anew when it ends.",
				fallback: func() string {
					if f.is(flowCAIntermediate) {
						return flowCAYears(ca.DefaultIntermediateValidity) + ", or until the CA above ends"
					}
					return flowCAYears(ca.DefaultCAValidity)
				},
			},
		},
	}
}

func flowCAYears(d time.Duration) string { return strconv.Itoa(int(d/ca.Year)) + "y" }

func (f *flowCA) stepLimits() step {
	return step{
		title:  "Limits (all may stay empty)",
		intro:  "What the CA may certify, whoever has its key. User names and groups cannot be limited, nor URIs and e-mail addresses.",
		hidden: f.isImport,
		fields: []field{
			{
				key: "path-length", title: "CAs below it (path length)", text: &f.pathLength, check: typedCheck(flowCACheckPathLength),
				help: "0 if it is to sign no other CA, 1 if those below it are to sign none.",
				fallback: func() string {
					if f.is(flowCAIntermediate) {
						return "none"
					}
					return "any number"
				},
			},
			{
				key: "permit-dns", title: "Domains", list: &f.permitDNS, check: ca.CheckDomain,
				help: "As in example.com: it may then certify example.com and every name below it, and no other DNS name.",
			},
			{
				key: "permit-ip", title: "Networks", list: &f.permitIP, check: ca.CheckNetwork,
				help: "As in 10.0.0.0/8. Domains limit DNS names alone: without networks it may still certify every IP address.",
			},
		},
	}
}

// flowCACheckPathLength judges the number alone; Init knows the CAs above.
func flowCACheckPathLength(value string) error {
	if _, err := strconv.ParseUint(value, 10, 31); err != nil {
		return failure.New(failure.Usage, "write how many CAs may stand below it, 0 for none", "%q is not a number of CAs", value)
	}
	return nil
}

func (f *flowCA) stepFiles() step {
	return step{
		title: "Files",
		intro: "Whoever has ca.key can make themselves administrator of everything that trusts ca.crt. Keep a copy offline.",
		load:  f.loadGiven,
		check: f.checkDir,
		fields: []field{
			{
				key: "dir", title: "Directory", text: &f.dir, fallback: f.dirFallback, check: typedCheck(f.checkFree),
				help: "For ca.crt, ca.key and the record of what it issues. It is made if it is not there. A CA that is there is never replaced.",
			},
			{
				key: "encrypt-key", title: "Encrypt the key?", yes: &f.encrypt, hidden: f.given.Load,
				help: "With a passphrase that you type twice at the end (AES-256). Every command that signs then asks for it. The keys of certificates are not encrypted.",
			},
		},
	}
}

// dirFallback is a directory where no CA is to be expected.
func (f *flowCA) dirFallback() string {
	if !f.is(flowCAIntermediate) {
		return f.Dir
	}
	parent := filepath.Clean(f.parentDir())
	if strings.Trim(filepath.Base(parent), `./\`) == "" {
		return "intermediate"
	}
	return parent + "-intermediate"
}

func (f *flowCA) parentDir() string { return cmp.Or(f.parent, f.Dir) }

func (f *flowCA) pkiDir() string { return cmp.Or(f.dir, f.dirFallback()) }

// checkFree says while it is typed that a directory has a CA. One that is taken
// over may be there already.
func (f *flowCA) checkFree(dir string) error {
	if f.isImport() {
		return nil
	}
	return ca.CheckNoCA(dir)
}

func (f *flowCA) checkDir() error { return f.checkFree(f.pkiDir()) }
