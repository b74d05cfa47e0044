package audit

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/pkictl/pkictl/internal/failure"
	"github.com/pkictl/pkictl/internal/shell"
	"github.com/pkictl/pkictl/internal/store"
)

// Form is what a policy is written as.
type Form string

// Forms of a policy.
const (
	FormPolicy    Form = "policy"    // YAML, with comments that say why
	FormJSON      Form = "json"      // without comments
	FormConfigMap Form = "configmap" // the manifest of a ConfigMap that holds it
)

// Where a ConfigMap with a policy goes if nothing else is said.
const (
	DefaultConfigMap          = "audit-policy"
	DefaultConfigMapNamespace = "kube-system"
)

// FileOptions say which policy is made, in which form, and where it goes.
type FileOptions struct {
	Options
	Form            Form   // empty: FormPolicy
	Name, Namespace string // of the ConfigMap
	Out             string // file, "" for none
	Replace         bool   // a file that is there
}

// PolicyFile is a policy that was made and is not written yet.
type PolicyFile struct {
	FileOptions
	Policy []byte // in YAML
	Data   []byte // in its form
	Rules  int
}

// NewPolicyFile makes a policy; nothing is written.
func NewPolicyFile(o FileOptions) (*PolicyFile, error) {
	f := &PolicyFile{FileOptions: o}
	var err error
	if f.Policy, err = Generate(o.Options); err != nil {
		return nil, err
	}
	switch o.Form {
	case FormJSON:
		f.Data, err = JSON(f.Policy)
	case FormConfigMap:
		f.Data, err = ConfigMap(f.Policy, o.Name, o.Namespace)
	default:
		f.Data = f.Policy
	}
	if err != nil {
		return nil, err
	}
	policy, err := Parse(o.Out, f.Policy)
	if err != nil {
		return nil, err
	}
	f.Rules = len(policy.Rules)
	return f, nil
}

// Check says whether Write would find its file as it has to be.
func (f *PolicyFile) Check() error { return f.existsError(store.CheckTargets(f.Replace, f.Out)) }

// Write writes the file, of mode 0600, in one step.
func (f *PolicyFile) Write() error {
	if err := f.Check(); err != nil {
		return err
	}
	if f.Replace {
		return store.WriteFile(f.Out, f.Data, 0o600)
	}
	return f.existsError(store.WriteNew(f.Out, f.Data, 0o600))
}

func (f *PolicyFile) existsError(err error) error {
	var exists *store.ExistsError
	if errors.As(err, &exists) {
		return failure.New(failure.Failed, "replace it with --force, or choose another file with --out", "%q exists", f.Out)
	}
	return err
}

// Next is the command that makes use of the file.
func (f *PolicyFile) Next() []string {
	if f.Form == FormConfigMap {
		return []string{"kubectl", "apply", "-f", f.Out}
	}
	return []string{"pkictl", "apiserver", "flags", "--audit-policy-from", f.Out}
}

// Explain is the recipe without pkictl: the policy is the work, and to write it is
// none.
func (f *PolicyFile) Explain() string {
	to := ""
	if f.Out != "" {
		to = " > " + shell.Quote(f.Out)
	}
	if f.Form == FormConfigMap {
		return heredoc(" > "+ConfigMapKey, f.Policy) +
			fmt.Sprintf("kubectl create configmap %s --namespace %s --from-file=%s --dry-run=client -o yaml%s\n",
				shell.Quote(f.Name), shell.Quote(f.Namespace), ConfigMapKey, to)
	}
	return heredoc(to, f.Data)
}

func heredoc(to string, data []byte) string {
	return "cat" + to + " <<'EOF'\n" + string(bytes.TrimSuffix(data, []byte("\n"))) + "\nEOF\n"
}
