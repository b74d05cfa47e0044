package main

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/pkictl/pkictl/ca"
	"github.com/pkictl/pkictl/csr"
)

type csrNewFlags struct {
	csr.NewOptions
	explain bool
}

func (a *app) csrNewCmd() *cobra.Command {
	var f csrNewFlags
	cmd := &cobra.Command{
		Use:   "new NAME",
		Short: "Make a key and a certificate request",
		Long: `Make a key and a certificate request (PKCS#10) for the common name NAME, in
NAME.key and NAME.csr in the current directory. The key never leaves it: what
"csr submit" sends, or "issue --csr" signs, is the request alone.

The key is on the disk first. Where there is one and no request, as after an
interruption, the request is made with that key. Files that are there are not
replaced without --force.`,
		Example: `  pkictl csr new carol --group developers
  pkictl csr new carol --group developers --group oncall --out carol-2 --key rsa-3072
  pkictl csr new web --dns web.example.com --ip 10.0.0.10
  pkictl csr new web --dns web.example.com --force --explain`,
		Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			f.CommonName = args[0]
			return a.csrNew(f)
		},
	}
	flags := cmd.Flags()
	flags.StringArrayVar(&f.Groups, "group", nil, "`GROUP` (organization); may be given several times")
	flags.StringArrayVar(&f.DNS, "dns", nil, "alternative DNS `NAME`; may be given several times")
	flags.StringArrayVar(&f.IPs, "ip", nil, "alternative IP `ADDRESS`; may be given several times")
	flags.StringArrayVar(&f.URIs, "uri", nil, "alternative `URI`; may be given several times")
	flags.StringArrayVar(&f.Emails, "email", nil, "alternative e-mail `ADDRESS`; may be given several times")
	flags.StringVar(&f.Key, "key", "", "`KIND` of key: "+keyKinds()+" (default "+string(ca.ECDSAP256)+")")
	flags.StringVar(&f.Out, "out", "", "write to `PREFIX`.key and PREFIX.csr (default the common name)")
	flags.BoolVar(&f.Force, "force", false, "replace key and request of that name")
	addDryRun(cmd, &f.DryRun)
	addExplain(cmd, &f.explain)
	complete(cmd, "key", ca.KeyKindNames()...)
	return cmd
}

type csrNewResult struct {
	typeMeta
	CommonName  string   `json:"commonName"`
	Groups      []string `json:"groups,omitempty"`
	Key         string   `json:"key"`
	KeyFile     string   `json:"keyFile"`
	RequestFile string   `json:"requestFile"`
	RequestPEM  string   `json:"request,omitempty"`
	Resumed     bool     `json:"keyWasThere"`
	DryRun      bool     `json:"dryRun,omitempty"`
}

func (a *app) csrNew(f csrNewFlags) error {
	if f.explain {
		return a.explain(csr.ExplainNew(f.NewOptions))
	}
	r, err := csr.New(f.NewOptions)
	if err != nil {
		return err
	}
	a.warn(ca.KeyWarnings(r.Key)...)
	if slices.Contains(f.Groups, ca.GroupMasters) {
		a.warn("an API server refuses requests for the group " + ca.GroupMasters + "; bind a group of your own to cluster-admin, or use pkictl issue")
	}
	result := csrNewResult{
		typeMeta: kind("CertificateRequest"), CommonName: f.CommonName, Groups: f.Groups, Key: r.Key,
		KeyFile: r.KeyPath, RequestFile: r.RequestPath, RequestPEM: string(r.RequestPEM), Resumed: r.Resumed, DryRun: f.DryRun,
	}
	return a.print(result, func(w io.Writer) {
		first := "Made a key and a request for "
		switch {
		case f.DryRun:
			first = "Dry run: nothing was written. It would be a request for "
		case r.Resumed:
			first = "Made a request, with the key that was there, for "
		}
		fmt.Fprintln(w, first+printable(f.CommonName))
		printRows(w, "  ",
			row{"groups", strings.Join(f.Groups, ", ")},
			row{"key", r.Key},
			row{"private key", r.KeyPath},
			row{"request", r.RequestPath},
		)
	})
}
