package main

import (
	"strings"

	"github.com/spf13/cobra"

	"github.com/pkictl/pkictl/ca"
)

func (a *app) inspectCmd() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "inspect FILE|-|NAME|https://HOST:PORT",
		Short: "Show what is in a certificate, key, request, CRL or kubeconfig",
		Long: `Show all that is in a file: certificates, certificate requests, keys and
revocation lists in PEM or DER form, in any number, a PKCS#12 file, or a
kubeconfig with the certificates and keys in it. Of a private key it shows the kind and the hash
of its public part, never the key; of a token or password, that there is one.

A PKCS#12 file is shown with its certificates and the kind of its key. If it
has a password, that stands in --passphrase-file or PKICTL_EXPORT_PASSPHRASE.

- is standard input. A word that names no file is a certificate of that name
in the PKI directory, or else in the CA's inventory.

For an https URL it shows the certificates that the server presents, and says
whether they hold for the CA in the PKI directory and for that host. They are
fetched without being verified, so that the broken ones can be looked at.

The SHA-256 of a public key is in the form that kubeadm takes for
--discovery-token-ca-cert-hash.`,
		Example: `  pkictl init-ca
  pkictl issue --cn kube-admin --group system:masters
  pkictl inspect kube-admin
  pkictl inspect pki/kube-admin.key
  pkictl inspect pki/ca.crt -o yaml
  pkictl issue --cn jane --kubeconfig jane.conf --server https://10.0.0.10:6443
  pkictl inspect jane.conf`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return a.inspect(cmd, args[0]) },
	}
	a.addPassphraseFile(cmd)
	return cmd
}

// inspection is the result of inspect.
type inspection struct {
	typeMeta
	Source string          `json:"source"`
	Server *server         `json:"server,omitempty"`
	Checks []ca.Check      `json:"checks,omitempty"` // of a server's certificate
	Items  []inspectedItem `json:"items"`
}

// inspectedItem is an item with what its surroundings say of it.
type inspectedItem struct {
	ca.Item
	State      ca.State        `json:"inventoryState,omitempty"` // of a certificate that comes from there
	Kubeconfig *kubeconfigView `json:"kubeconfig,omitempty"`
	Checks     []ca.Check      `json:"checks,omitempty"`
}

// kindKubeconfig is an item that package ca does not know.
const kindKubeconfig ca.ItemKind = "Kubeconfig"

func (a *app) inspect(cmd *cobra.Command, arg string) error {
	result := &inspection{typeMeta: kind("Inspection"), Source: arg}
	var err error
	if strings.Contains(arg, "://") {
		err = a.inspectServer(cmd.Context(), arg, result)
	} else {
		err = a.inspectSource(cmd.Context(), arg, result)
	}
	if err != nil {
		return err
	}
	return a.print(result, result.text(a.now()))
}
