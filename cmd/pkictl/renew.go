package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/pkictl/pkictl/ca"
	"github.com/pkictl/pkictl/internal/failure"
	"github.com/pkictl/pkictl/internal/store"
	"github.com/pkictl/pkictl/kubeconfig"
)

type renewFlags struct {
	ca.RenewOptions
	all         bool
	expiring    string
	profileFile string
	kubeconfigs []string
	passphrase  ca.Passphrase
	explain     bool
}

func (a *app) renewCmd() *cobra.Command {
	var f renewFlags
	cmd := &cobra.Command{
		Use:   "renew NAME|SERIAL|FILE... | --expiring TIME | --all",
		Short: "Make new certificates in place of old ones",
		Long: `Make a new certificate with the subject, names and usages of the old one, and
a new key, in the files of the old one and in the kubeconfigs that were written
with it. It is valid for as long as the old one was.

The new certificate is verified before anything is touched; then key,
certificate and kubeconfigs change in one step. Whatever happens, they fit. The
files keep owner and mode.

The old certificate still works until it ends: an API server knows of no
renewal. A program that has read the old pair goes on with it until it is
restarted or reads its files again.

A name is that of the files in the PKI directory, or a common name; SERIAL is
the serial number in hexadecimal, as list prints it. FILE may also be a
kubeconfig whose certificate is in no other file, such as kubeadm's admin.conf.
With --expiring those are renewed that end within that time, or have ended, as
far as their files are there; of others there is a warning.

The limits of a file of profiles hold for the new certificate, too: name the
file with --profile-file. Without it, what was issued under a profile of a file
gets no other kind of key, and is not valid for longer than before.

The key beside a certificate is compared with it. One that is encrypted, or in
a PKCS#11 token, stops the renewal: have a request made with it, and sign that
with issue --csr.`,
		Example: `  pkictl init-ca
  pkictl issue --cn jane --group developers --kubeconfig jane.conf --server https://10.0.0.10:6443
  pkictl renew jane
  pkictl renew pki/jane.crt --validity 8h --reuse-key
  pkictl renew --expiring 30d
  pkictl renew --all --dry-run`,
		RunE: func(cmd *cobra.Command, args []string) error { return a.renew(cmd, args, f) },
	}
	flags := cmd.Flags()
	flags.StringVar(&f.expiring, "expiring", "", "renew those that end within this `TIME`, as in 30d, or have ended")
	flags.BoolVar(&f.all, "all", false, "renew all whose files are there")
	flags.StringVar(&f.Validity, "validity", "", "`TIME` for which they are valid, as in 90d, 8h or 1y (default as long as before)")
	flags.StringVar(&f.Key, "key", "", "`KIND` of the new key (default as before): "+keyKinds())
	flags.BoolVar(&f.ReuseKey, "reuse-key", false, "keep the key")
	flags.StringArrayVar(&f.kubeconfigs, "kubeconfig", nil, "`FILE` of another kubeconfig that holds the old certificate; may be given several times")
	f.passphrase = a.addPassphrase(cmd)
	flags.StringVar(&f.profileFile, "profile-file", "", "`FILE` with the profiles under which they were issued, whose limits hold")
	addDryRun(cmd, &f.DryRun)
	addExplain(cmd, &f.explain)
	complete(cmd, "key", ca.KeyKindNames()...)
	return cmd
}

func (a *app) renew(cmd *cobra.Command, args []string, f renewFlags) error {
	within, err := f.check(args)
	if err != nil {
		return err
	}
	f.Dir, f.Now, f.Waiting = a.dir, a.now(), a.waiting
	if f.profileFile != "" {
		if f.Profiles, err = ca.LoadProfiles(f.profileFile); err != nil {
			return err
		}
	}
	if !f.DryRun && !f.explain {
		if err := store.Recover(cmd.Context(), a.dir, a.waiting); err != nil {
			return err
		}
	}
	authority, err := ca.Open(a.dir)
	if err != nil {
		return err
	}
	defer authority.Close()
	result := &renewResult{typeMeta: kind("RenewalList"), DryRun: f.DryRun, Items: []renewal{}}
	var holdings []*ca.Holding
	if len(args) > 0 {
		holdings, err = a.named(cmd.Context(), authority, args)
	} else {
		holdings, err = a.due(cmd.Context(), authority, within)
	}
	if err != nil {
		return err
	}
	if err := kubeconfig.AddHolders(f.kubeconfigs, holdings...); err != nil {
		return err
	}
	if f.explain {
		return a.explainRenewals(authority, holdings, f.RenewOptions)
	}
	if len(holdings) > 0 {
		if err := authority.LoadKey(f.passphrase); err != nil {
			return err
		}
	}
	bar := a.newProgress(len(holdings))
	for i, h := range holdings {
		if cmd.Context().Err() != nil {
			bar.clear()
			return failure.New(failure.Failed, "run it again for the others: those that were renewed are whole",
				"interrupted after %d of %d certificates", i, len(holdings))
		}
		result.add(a.renewOne(cmd.Context(), authority, h, f))
		bar.show(i + 1)
	}
	bar.clear()
	return a.finishRenewals(result)
}

// check checks the flags, and returns within which time certificates must end
// to be renewed.
func (f *renewFlags) check(args []string) (time.Duration, error) {
	ways := 0
	for _, given := range []bool{len(args) > 0, f.all, f.expiring != ""} {
		if given {
			ways++
		}
	}
	switch {
	case ways == 0:
		return 0, failure.New(failure.Usage, "name one, as in: pkictl renew jane; or use --expiring 30d or --all", "nothing was named to renew")
	case ways > 1:
		return 0, failure.New(failure.Usage, "use one of them", "a name, --expiring and --all exclude each other")
	case f.ReuseKey && f.Key != "":
		return 0, failure.New(failure.Usage, "use one of them", "--reuse-key and --key exclude each other")
	case f.expiring != "":
		return ca.ParseValidity(f.expiring)
	}
	return 0, nil
}

// named returns what the arguments stand for.
func (a *app) named(ctx context.Context, authority *ca.CA, args []string) ([]*ca.Holding, error) {
	var holdings []*ca.Holding
	for _, arg := range args {
		info, err := os.Stat(arg)
		var h *ca.Holding
		switch {
		case errors.Is(err, fs.ErrNotExist):
			h, err = authority.HoldingFor(ctx, arg, a.now())
		case err == nil && info.IsDir(): // one may be called like a user
			if h, err = authority.HoldingFor(ctx, arg, a.now()); err != nil {
				return nil, failure.New(failure.Usage, "name a file in it, or use --all", "%q is a directory", arg)
			}
		default:
			h, err = a.holdingIn(ctx, authority, arg)
		}
		if err != nil {
			return nil, err
		}
		isSame := func(other *ca.Holding) bool { return other.Certificate.Equal(h.Certificate) }
		if i := slices.IndexFunc(holdings, isSame); i < 0 {
			holdings = append(holdings, h)
		} else { // a pair and its kubeconfig, say
			for _, path := range h.Also {
				holdings[i].Add(path)
			}
		}
	}
	return holdings, nil
}

// holdingIn returns what a file holds: a certificate, or a kubeconfig with one.
func (a *app) holdingIn(ctx context.Context, authority *ca.CA, path string) (*ca.Holding, error) {
	src, err := a.loadFile(ctx, path)
	if err != nil {
		return nil, err
	}
	if src.config == nil {
		return authority.HoldingAt(ctx, path, a.now())
	}
	current, err := src.currentContext()
	if err != nil {
		return nil, err
	}
	certs := kubeconfig.Certificates(src.config.AuthInfos[current.AuthInfo])
	if len(certs) == 0 {
		return nil, failure.New(failure.Failed, "name the file that it refers to", "kubeconfig %q has no certificate embedded for user %q", path, current.AuthInfo)
	}
	h, err := authority.HoldingOf(ctx, certs[0], a.now())
	if err == nil {
		h.Add(path)
	}
	return h, err
}

// due returns those that end within that time or have ended, and tells of those whose files
// are elsewhere.
func (a *app) due(ctx context.Context, authority *ca.CA, within time.Duration) ([]*ca.Holding, error) {
	holdings, missing, err := authority.Holdings(ctx, within, a.now())
	for _, entry := range missing {
		a.warn(fmt.Sprintf("%s (serial %s, ends %s) is not renewed: its files are not where they were written",
			entry.CommonName, entry.Serial, utc(entry.NotAfter)))
	}
	return holdings, err
}

func (a *app) renewOne(ctx context.Context, authority *ca.CA, h *ca.Holding, f renewFlags) renewal {
	r, err := kubeconfig.RenewHolding(ctx, authority, h, f.RenewOptions)
	if err != nil {
		return renewal{Name: h.Name, CommonName: h.Certificate.Subject.CommonName, Error: err.Error(), Hint: failure.HintOf(err), err: err}
	}
	for _, w := range r.Warnings {
		a.warn(h.Name + ": " + w)
	}
	item := renewal{
		Name: h.Name, CommonName: h.Certificate.Subject.CommonName, Profile: h.Profile,
		OldSerial: ca.FormatSerial(h.Certificate.SerialNumber), OldNotAfter: h.Certificate.NotAfter,
		NotAfter: &r.Renewed.NotAfter, Files: r.Written,
	}
	if !f.DryRun {
		item.Serial = ca.FormatSerial(r.Renewed.SerialNumber)
	}
	return item
}

type renewResult struct {
	typeMeta
	Items  []renewal `json:"items"`
	DryRun bool      `json:"dryRun,omitempty"`

	failed []error
}

type renewal struct {
	Name        string     `json:"name"`
	CommonName  string     `json:"commonName"`
	Profile     string     `json:"profile,omitempty"`
	OldSerial   string     `json:"oldSerial,omitempty"`
	OldNotAfter time.Time  `json:"oldNotAfter,omitzero"`
	Serial      string     `json:"serial,omitempty"`
	NotAfter    *time.Time `json:"notAfter,omitempty"`
	Files       []string   `json:"files,omitempty"`
	Error       string     `json:"error,omitempty"`
	Hint        string     `json:"hint,omitempty"`

	err error
}

func (r *renewResult) add(item renewal) {
	r.Items = append(r.Items, item)
	if item.err != nil {
		r.failed = append(r.failed, item.err)
	}
}

// finishRenewals prints what was done, and returns what went wrong.
func (a *app) finishRenewals(r *renewResult) error {
	if len(r.Items) == 1 && len(r.failed) == 1 {
		return r.failed[0]
	}
	if err := a.print(r, func(w io.Writer) { a.printRenewals(w, r) }); err != nil {
		return err
	}
	for _, item := range r.Items {
		if item.err != nil {
			fmt.Fprintf(a.err, "%s: %s\n", printable(item.Name), oneLine(strings.Trim(item.Error+"; "+item.Hint, "; ")))
		}
	}
	if len(r.failed) > 0 {
		return failure.New(failure.KindOf(r.failed[0]), "mend what is said of each, and renew it again with: pkictl renew NAME", "%d of %d were not renewed", len(r.failed), len(r.Items))
	}
	return nil
}

func (a *app) printRenewals(w io.Writer, r *renewResult) {
	if len(r.Items) == len(r.failed) {
		fmt.Fprintln(w, "Nothing was renewed.")
		return
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "RENEWED\tPROFILE\tSERIAL\tENDED\tENDS\tFILES")
	if r.DryRun {
		fmt.Fprintln(w, "Would renew (dry run: nothing was signed or written)")
	}
	restart := false
	for _, item := range r.Items {
		if item.err != nil {
			continue
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\n", printable(item.Name), printable(item.Profile), dash(item.Serial),
			item.OldNotAfter.Format(time.DateOnly), item.NotAfter.Format(time.DateOnly), dash(printableAll(item.Files)))
		restart = restart || item.Profile != ca.ProfileClient
	}
	_ = t.Flush() // w is a buffer
	if restart && !r.DryRun {
		fmt.Fprintln(w, "\nServers read their certificate when they start: restart those that do not watch the files.")
	}
}
