package main

import (
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/pkictl/pkictl/ca"
	"github.com/pkictl/pkictl/csr"
)

func (a *app) csrCmd() *cobra.Command {
	return nounCmd("csr", "Certificate signing requests of a cluster",
		`Make certificate requests, send them to a cluster's certificates API, look at
what they would allow, and approve, deny, sign or wait for them.`,
		a.csrNewCmd(),
		a.csrSubmitCmd(),
		a.csrListCmd(),
		a.csrReviewCmd(),
		a.csrApproveCmd(),
		a.csrDenyCmd(),
		a.csrWaitCmd(),
		a.csrSignCmd(),
	)
}

// addKubectlRecipe adds --explain to a command whose recipe is of kubectl.
func addKubectlRecipe(cmd *cobra.Command, flag *bool) {
	cmd.Flags().BoolVar(flag, "explain", false, "print the kubectl commands that give the same result, and do nothing else")
}

// kubectl is how the recipes call it, to reach the same cluster.
func (c *connection) kubectl() string { return csr.Kubectl(c.file, c.context) }

// csrResult is one certificate signing request in JSON and YAML.
type csrResult struct {
	csr.Summary
	CertificateFile   string `json:"certificateFile,omitempty"`
	FingerprintSHA256 string `json:"fingerprintSHA256,omitempty"`
	CertificatePEM    string `json:"certificate,omitempty"`
}

func newCSRResult(object *csr.Object) csrResult {
	r := csrResult{Summary: csr.Summarize(object), CertificatePEM: string(object.Status.Certificate)}
	if cert := csr.Certificate(object); cert != nil {
		r.FingerprintSHA256 = ca.Fingerprint(cert)
	}
	return r
}

// printCSR writes what a person wants to know of a request, behind what else
// there is to say.
func (a *app) printCSR(w io.Writer, r csrResult, first ...row) {
	end := ""
	if r.NotAfter != nil {
		end = ends(*r.NotAfter, a.now())
	}
	printRows(w, "  ", append(first,
		row{"subject", r.Subject},
		row{"names", strings.Join(r.SANs, ", ")},
		row{"key", r.Key},
		row{"requestor", r.Requestor},
		row{"signer", r.Signer},
		row{"usages", strings.Join(r.Usages, ", ")},
		row{"lifetime", lifetimes(r.Summary)},
		row{"state", stateWithReason(r.Summary)},
		row{"ends", end},
		row{"SHA-256", r.FingerprintSHA256},
		row{"certificate", r.CertificateFile},
	)...)
}

// lifetimes shows what was asked for beside what was given.
func lifetimes(s csr.Summary) string {
	asked, allowed := s.AskedLifetime(), s.AllowedLifetime()
	switch {
	case allowed != "" && asked != "" && allowed != asked:
		return allowed + " (asked for " + asked + ")"
	case allowed != "":
		return allowed
	case asked != "":
		return asked + " asked for"
	}
	return "what the signer gives"
}

func stateWithReason(s csr.Summary) string {
	if s.Message == "" {
		return string(s.State)
	}
	return string(s.State) + ": " + s.Message
}
