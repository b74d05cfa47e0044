package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/pkictl/pkictl/internal/failure"
	"github.com/pkictl/pkictl/internal/store"
	"github.com/pkictl/pkictl/lab"
)

type labWebhookFlags struct {
	cert, key string
	registry  string
	port      int
	dryRun    bool
}

func (a *app) labWebhookCmd() *cobra.Command {
	var f labWebhookFlags
	cmd := &cobra.Command{
		Use:   "webhook",
		Short: "Serve the program behind an admission webhook, to try one out",
		Long: `Serve the program behind a ValidatingWebhookConfiguration on 127.0.0.1, for labs
whose cluster has no kubelet to run it. It answers AdmissionReviews of
admission.k8s.io/v1 at any path, and denies pods that have an image of a registry
in a container, an init container or an ephemeral one. It stays until Ctrl-C,
keeps nothing and logs nothing.

"pkictl lab check" serves it by itself; where this one runs on its port, this one
is asked.`,
		Example: `  pkictl issue --profile server --cn image-policy.image-policy.svc --out tls
  pkictl lab webhook --cert tls.crt --key tls.key --registry hooli.example --dry-run`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.labWebhook(cmd, f) },
	}
	flags := cmd.Flags()
	flags.StringVar(&f.cert, "cert", "", "`FILE` with the serving certificate, in PEM")
	flags.StringVar(&f.key, "key", "", "`FILE` with its key, in PEM and not encrypted")
	flags.StringVar(&f.registry, "registry", "", "`HOST` of the registry whose images are denied")
	flags.IntVar(&f.port, "port", 0, "`PORT` of 127.0.0.1 (default a free one)")
	addDryRun(cmd, &f.dryRun)
	return cmd
}

type labWebhookResult struct {
	typeMeta
	Address  string `json:"address"`
	Registry string `json:"registry"`
	DryRun   bool   `json:"dryRun"`
}

func (a *app) labWebhook(cmd *cobra.Command, f labWebhookFlags) error {
	switch {
	case f.cert == "" || f.key == "" || f.registry == "":
		return failure.New(failure.Usage, "as in --cert tls.crt --key tls.key --registry hooli.example", "a webhook needs --cert, --key and --registry")
	case f.port < 0 || f.port > 65535:
		return failure.New(failure.Usage, "choose one from 1024 to 65535", "there is no port %d", f.port)
	}
	hook := lab.Webhook{Registry: f.registry}
	var err error
	if hook.CertPEM, err = store.Read(f.cert, store.MaxPEM); err != nil {
		return err
	}
	if hook.KeyPEM, err = store.Read(f.key, store.MaxPEM); err != nil {
		return err
	}
	listener, err := hook.Listen(cmd.Context(), f.port)
	if err != nil {
		return err
	}
	result := labWebhookResult{kind("LabWebhook"), listener.Addr().String(), f.registry, f.dryRun}
	err = a.print(result, func(w io.Writer) {
		if f.dryRun {
			fmt.Fprintf(w, "The webhook can be served on https://%s\n", result.Address)
			return
		}
		fmt.Fprintf(w, "The webhook is served on https://%s; images of %s are denied\nEnd it with Ctrl-C\n", result.Address, printable(f.registry))
	})
	if err != nil || f.dryRun {
		_ = listener.Close() // nobody knows of it
		return err
	}
	return hook.Serve(cmd.Context(), listener)
}
