package main

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/pkictl/pkictl/ca"
	"github.com/pkictl/pkictl/csr"
	"github.com/pkictl/pkictl/internal/failure"
	"github.com/pkictl/pkictl/internal/kubeclient"
)

type userRenewFlags struct {
	csr.RenewUserOptions
	lifetime   string
	via        string
	passphrase ca.Passphrase
	connection *connection
	explain    bool
}

func (a *app) userRenewCmd() *cobra.Command {
	var f userRenewFlags
	cmd := &cobra.Command{
		Use:   "renew NAME|FILE...",
		Short: "Renew the certificate in a person's kubeconfig",
		Long: `Make a new key, have a certificate with the same name and groups signed, and put
both into the place of the old ones in a kubeconfig. All else in the file stays
as it is, to the byte. NAME stands for the file NAME.conf. The certificate of its
current context is renewed, for as long as the old one was valid.

The cluster signs, asked with the administrator's credential; or the CA in the
PKI directory, if its inventory knows the certificate. --via says which.

The old certificate still works until it ends. When it fails on the way, the same
command again goes on from there.`,
		Example: `  pkictl user add ursel --namespace default --role view --for 10m
  pkictl user renew ursel
  pkictl user renew ursel.conf --for 8h --reuse-key`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return a.userRenew(cmd, args, f) },
	}
	flags := cmd.Flags()
	flags.StringVar(&f.lifetime, "for", "", "`TIME` for which the certificate is valid, as in 8h (default as long as before)")
	flags.StringVar(&f.via, "via", "", "`WAY` to have it signed: csr or ca (default ca if the inventory knows it)")
	flags.StringVar(&f.Key, "key", "", "`KIND` of the new key (default as before): "+keyKinds())
	flags.BoolVar(&f.ReuseKey, "reuse-key", false, "keep the key")
	flags.BoolVar(&f.Force, "force", false, "start anew what was begun with other options")
	f.connection = addConnection(cmd)
	f.passphrase = a.addPassphrase(cmd)
	addDryRun(cmd, &f.DryRun)
	addExplain(cmd, &f.explain)
	complete(cmd, "via", string(csr.ViaCSR), string(csr.ViaCA))
	complete(cmd, "key", ca.KeyKindNames()...)
	return cmd
}

func (a *app) userRenew(cmd *cobra.Command, args []string, f userRenewFlags) error {
	if err := f.check(); err != nil {
		return err
	}
	f.Now, f.Login = a.now(), a.login(f.connection)
	client, err := a.connect(f.connection)
	if err != nil {
		return err
	}
	if f.explain {
		for _, arg := range args {
			if f.File, err = userFile(arg); err == nil {
				err = a.explain(csr.ExplainRenew(client, f.RenewUserOptions, f.connection.kubectl()))
			}
			if err != nil {
				return err
			}
		}
		return nil
	}
	result := &renewedResult{typeMeta: kind("UserRenewalList"), DryRun: f.DryRun, Items: []renewedItem{}}
	for _, arg := range args {
		renewed, err := a.renewFile(cmd.Context(), client, f, arg)
		if cmd.Context().Err() != nil {
			return err
		}
		result.add(arg, renewed, err)
	}
	return a.finishRenewed(result)
}

// renewFile renews one of the arguments.
func (a *app) renewFile(ctx context.Context, client *kubeclient.Client, f userRenewFlags, arg string) (*csr.RenewedUser, error) {
	var err error
	if f.File, err = userFile(arg); err != nil {
		return nil, err
	}
	renewed, err := a.renewUser(ctx, f, func() (*csr.RenewedUser, error) {
		steps := a.newSteps()
		defer steps.clear()
		o := f.RenewUserOptions
		o.Begin = func(step csr.Step) { steps.begin("%s", step.Doing()) }
		o.Done = func(step csr.Step, detail string) { steps.done("%s", printable(step.Did(detail))) }
		o.Notify = func(text string) { steps.clear(); a.warn(text) }
		o.Waiting = func() { a.waitingFor(f.File) }
		return csr.RenewUser(ctx, client, o)
	})
	if err == nil {
		a.warn(renewed.Warnings...)
	}
	return renewed, err
}

func (f *userRenewFlags) check() error {
	var err error
	switch {
	case f.ReuseKey && f.Key != "":
		return failure.New(failure.Usage, "use one of them", "--reuse-key and --key exclude each other")
	case f.via != "" && f.via != string(csr.ViaCSR) && f.via != string(csr.ViaCA):
		return failure.New(failure.Usage, "choose csr or ca", "there is no way %q to sign a certificate", f.via)
	case f.lifetime != "":
		f.For, err = csr.ParseFor(f.lifetime)
	}
	return err
}

// userFile returns the kubeconfig that an argument stands for.
func userFile(arg string) (string, error) {
	info, err := os.Stat(arg)
	if err == nil && info.Mode().IsRegular() {
		return arg, nil
	}
	if nameErr := csr.CheckUserName(arg); nameErr != nil {
		return "", failure.New(failure.Failed, "name a file, or a user whose kubeconfig NAME.conf is in this directory", "there is no kubeconfig %q", arg)
	}
	path := csr.UserFile("", arg)
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return "", failure.New(failure.Failed, "name its file, or make it with: pkictl user add "+arg, "there is no kubeconfig %q of user %q", path, arg)
	}
	return path, nil
}

// renewUser chooses who signs.
func (a *app) renewUser(ctx context.Context, f userRenewFlags, byCSR func() (*csr.RenewedUser, error)) (*csr.RenewedUser, error) {
	if f.via == string(csr.ViaCSR) {
		return byCSR()
	}
	cert, _, err := csr.UserCertificate(f.File)
	if err != nil {
		return nil, err
	}
	authority, err := ca.Open(a.dir)
	if err == nil {
		defer authority.Close()
	}
	if f.via == "" && (err != nil || !a.isRecorded(ctx, cert)) { // no CA here, or another has signed it
		return byCSR()
	}
	if err != nil {
		return nil, err
	}
	h, err := authority.HoldingOf(ctx, cert, a.now())
	if err != nil {
		return nil, err
	}
	if !f.DryRun {
		if err := authority.LoadKey(f.passphrase); err != nil {
			return nil, err
		}
	}
	h.Add(f.File)
	o := ca.RenewOptions{Dir: a.dir, Key: f.Key, ReuseKey: f.ReuseKey, DryRun: f.DryRun, Now: f.Now, Waiting: a.waiting}
	if f.For > 0 {
		o.Validity = fmt.Sprintf("%ds", int64(f.For/time.Second))
	}
	item := a.renewOne(ctx, authority, h, renewFlags{RenewOptions: o})
	if item.err != nil {
		return nil, item.err
	}
	renewed := &csr.RenewedUser{Name: item.CommonName, File: f.File, Old: csr.CredentialOf(cert)}
	if !f.DryRun {
		if cert, _, err = csr.UserCertificate(f.File); err != nil {
			return nil, err
		}
		renewed.New = csr.CredentialOf(cert)
	}
	if !f.DryRun {
		a.noteRenewed(ctx, f, renewed)
	}
	return renewed, nil
}

// isRecorded says whether the inventory knows a certificate.
func (a *app) isRecorded(ctx context.Context, cert *x509.Certificate) bool {
	rows, err := ca.List(ctx, ca.ListOptions{Dir: a.dir, Serial: cert.SerialNumber, Now: a.now()})
	return err == nil && len(rows) > 0
}

// noteRenewed has the bindings remember the new certificate. The inventory does
// anyway, so it is no more than a warning if they cannot.
func (a *app) noteRenewed(ctx context.Context, f userRenewFlags, renewed *csr.RenewedUser) {
	client, err := a.connect(f.connection)
	if err == nil {
		err = csr.NoteCredential(ctx, client, renewed.Name, renewed.New, f.Now)
	}
	if err != nil {
		renewed.Warnings = append(renewed.Warnings, "the bindings do not know the new certificate: "+err.Error())
	}
}

type renewedResult struct {
	typeMeta
	Items  []renewedItem `json:"items"`
	DryRun bool          `json:"dryRun,omitempty"`

	failed []error
}

type renewedItem struct {
	csr.RenewedUser
	Error string `json:"error,omitempty"`
	Hint  string `json:"hint,omitempty"`
}

func (r *renewedResult) add(arg string, renewed *csr.RenewedUser, err error) {
	item := renewedItem{}
	if err != nil {
		item.File, item.Error, item.Hint = arg, err.Error(), failure.HintOf(err)
		r.failed = append(r.failed, err)
	} else {
		item.RenewedUser = *renewed
	}
	r.Items = append(r.Items, item)
}

// finishRenewed prints what was done, and returns what went wrong.
func (a *app) finishRenewed(r *renewedResult) error {
	if len(r.Items) == 1 && len(r.failed) == 1 {
		return r.failed[0]
	}
	if err := a.print(r, func(w io.Writer) { a.printRenewed(w, r) }); err != nil {
		return err
	}
	for _, item := range r.Items {
		if item.Error != "" {
			fmt.Fprintf(a.err, "%s: %s\n", printable(item.File), oneLine(strings.Trim(item.Error+"; "+item.Hint, "; ")))
		}
	}
	if len(r.failed) > 0 {
		return failure.New(failure.KindOf(r.failed[0]), "mend these and run it again", "%d of %d were not renewed", len(r.failed), len(r.Items))
	}
	return nil
}

func (a *app) printRenewed(w io.Writer, r *renewedResult) {
	if len(r.Items) == len(r.failed) {
		fmt.Fprintln(w, "Nothing was renewed.")
	}
	for _, item := range r.Items {
		switch {
		case item.Error != "":
		case r.DryRun:
			fmt.Fprintf(w, "Would renew %s (dry run: nothing was sent or written)\n", printable(item.Name))
			printRows(w, "  ", row{"kubeconfig", item.File}, row{"ends", ends(item.Old.NotAfter, a.now())})
		default:
			fmt.Fprintf(w, "Renewed %s\n", printable(item.Name))
			rows := []row{{"kubeconfig", item.File}, {"serial", item.New.Serial}, {"ends", ends(item.New.NotAfter, a.now())}}
			if item.Old.NotAfter.After(a.now()) {
				rows = append(rows, row{"the old one", "serial " + item.Old.Serial + " works until " + ends(item.Old.NotAfter, a.now())})
			}
			printRows(w, "  ", rows...)
		}
	}
}
