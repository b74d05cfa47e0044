package main

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/pkictl/pkictl/ca"
	"github.com/pkictl/pkictl/csr"
	"github.com/pkictl/pkictl/internal/failure"
	"github.com/pkictl/pkictl/internal/kubeclient"
	"github.com/pkictl/pkictl/internal/store"
)

type csrSubmitFlags struct {
	csr.SubmitOptions
	file       string
	expiration string
	wait       bool
	waiting    csrWaitFlags
	explain    bool
	connection *connection
}

func (a *app) csrSubmitCmd() *cobra.Command {
	var f csrSubmitFlags
	cmd := &cobra.Command{
		Use:   "submit FILE|-",
		Short: "Send a certificate request to a cluster",
		Long: `Send a certificate request (PKCS#10) to the certificates API of a cluster. It is
checked first by the rules of its signer: what the API server would refuse, or
the signer would fail, is refused here with the reason, and nothing is sent.

  kubernetes.io/kube-apiserver-client
      users: any subject but the group system:masters; usages client auth,
      digital signature and key encipherment
  kubernetes.io/kube-apiserver-client-kubelet
      nodes: group system:nodes alone, common name system:node:NAME, no
      alternative names; the same usages
  kubernetes.io/kubelet-serving
      nodes: the same subject, DNS names or IP addresses; usages server auth,
      digital signature and key encipherment
  any other domain/name
      what serves it has its own rules, "pkictl csr sign" among others

User names and groups that begin with system: or kubeadm: belong to parts of a
cluster. A signer gives them to anybody who is approved, so they have to be
allowed by name, as in --allow name:system:metrics.

The object is named after the common name and what is asked for. The same
request with the same signer, usages and lifetime is the same object however
often it is submitted, also when it is made again with the same key.`,
		Example: `  pkictl csr new chris --group developers
  pkictl csr submit chris.csr --expiration 8h --dry-run
  pkictl csr submit chris.csr --expiration 8h
  pkictl csr submit chris.csr --expiration 8h --explain
  openssl req -new -newkey rsa:2048 -nodes -keyout chris2.key -subj /O=developers/CN=chris | pkictl csr submit - --name chris-2
  pkictl csr new charlie.example.com --dns charlie.example.com
  pkictl csr submit charlie.example.com.csr --signer example.com/web --usage "digital signature" --usage "server auth"`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			f.file = args[0]
			return a.csrSubmit(cmd, f)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&f.Name, "name", "", "`NAME` of the object (default the common name and a hash of what is asked for)")
	flags.StringVar(&f.Signer, "signer", csr.SignerClient, "`NAME` of the signer that is asked")
	flags.StringArrayVar(&f.Usages, "usage", nil, "`USAGE` of the certificate, as in \"client auth\"; may be given several times (default by signer and key)")
	flags.StringVar(&f.expiration, "expiration", "", "`TIME` for which it is to be valid, as in 8h; 10m at least (default what the signer gives)")
	flags.StringArrayVar(&f.Allow, "allow", nil, "let a request have what is refused otherwise, by `NAME`: name:NAME, group:NAME, weak-key, weak-hash")
	flags.BoolVar(&f.DryRun, "dry-run", false, "have the API server check it, and keep nothing")
	flags.BoolVar(&f.wait, "wait", false, "wait until it is approved and signed")
	f.waiting.add(cmd, "with --wait: ")
	addKubectlRecipe(cmd, &f.explain)
	f.connection = addConnection(cmd)
	complete(cmd, "signer", csr.SignerNames()...)
	complete(cmd, "usage", csr.UsageNames()...)
	complete(cmd, "allow", append([]string{ca.AllowWeakKey, ca.AllowWeakHash}, reservedNames...)...)
	return cmd
}

type csrSubmitResult struct {
	typeMeta
	csrResult
	New    bool `json:"submitted"` // by this run
	DryRun bool `json:"dryRun,omitempty"`
}

func (a *app) csrSubmit(cmd *cobra.Command, f csrSubmitFlags) error {
	if err := f.check(cmd, a.in, a.now()); err != nil {
		return err
	}
	wanted, warnings, err := csr.NewObject(f.SubmitOptions)
	if err != nil {
		return err
	}
	if f.explain {
		return a.explain(csr.ExplainSubmit(wanted, f.connection.kubectl(), f.DryRun))
	}
	if err := f.waiting.checkTarget(); err != nil {
		return err
	}
	client, err := a.connect(f.connection)
	if err != nil {
		return err
	}
	a.warn(warnings...)
	object, created, err := csr.Submit(cmd.Context(), client, f.SubmitOptions)
	if err != nil {
		return err
	}
	result := csrSubmitResult{typeMeta: kind("CertificateSigningRequest"), New: created && !f.DryRun, DryRun: f.DryRun}
	if f.wait {
		if object, err = a.waitSubmitted(cmd, client, object, created, f.waiting); err != nil {
			return err
		}
		result.CertificateFile = f.waiting.out
	}
	file := result.CertificateFile
	result.csrResult = newCSRResult(object)
	result.CertificateFile = file
	return a.print(result, func(w io.Writer) {
		fmt.Fprintln(w, f.headline(result))
		a.printCSR(w, result.csrResult)
		if result.State == csr.StatePending && !f.DryRun {
			fmt.Fprintf(w, "Have it approved with: pkictl csr approve %s\n", result.Name)
		}
	})
}

// check reads the request and checks the flags against each other.
func (f *csrSubmitFlags) check(cmd *cobra.Command, in io.Reader, now time.Time) error {
	for _, name := range []string{"timeout", "out", "force", "for"} {
		if cmd.Flags().Changed(name) && !f.wait {
			return failure.New(failure.Usage, "add --wait, or leave it out", "--%s is for waiting", name)
		}
	}
	if f.wait && f.DryRun {
		return failure.New(failure.Usage, "use one of them", "--wait and --dry-run exclude each other")
	}
	if err := f.waiting.check(1); err != nil {
		return err
	}
	if f.expiration != "" {
		var err error
		if f.Expiration, err = ca.ParseValidity(f.expiration); err != nil {
			return err
		}
	}
	var err error
	f.Source, f.Now = f.file, now
	if f.file != "-" {
		f.RequestPEM, err = store.Read(f.file, store.MaxPEM)
		return err
	}
	f.Source = "standard input"
	f.RequestPEM, err = store.ReadAll(in, f.Source, store.MaxPEM)
	return err
}

func (f *csrSubmitFlags) headline(r csrSubmitResult) string {
	switch name := printable(r.Name); {
	case f.DryRun && r.UID != "":
		return "Dry run: the API server takes " + name + ", and has kept nothing"
	case r.State == csr.StateIssued && f.wait:
		return "Issued " + name
	case r.New:
		return "Submitted " + name
	default:
		return "Found " + name + ": the same was submitted before, and nothing was sent again"
	}
}

// waitSubmitted waits for what was submitted, and says so.
func (a *app) waitSubmitted(cmd *cobra.Command, client *kubeclient.Client, object *csr.Object, created bool, f csrWaitFlags) (*csr.Object, error) {
	steps := a.newSteps()
	did := "found, submitted before:"
	if created {
		did = "submitted"
	}
	steps.done("%s %s", did, printable(object.Name))
	waits := a.startWaits(cmd, client, []string{object.Name}, f, steps)
	waits.known = map[string]*csr.Object{object.Name: object}
	results := waits.run()
	if err := results[0].err; err != nil {
		return nil, err
	}
	return results[0].object, f.save(results[0].object)
}

func words(list []string) string { return strings.Join(list, ", ") }
