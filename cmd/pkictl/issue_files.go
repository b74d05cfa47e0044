package main

import (
	"io"

	"github.com/spf13/cobra"

	"github.com/pkictl/pkictl/ca"
	"github.com/pkictl/pkictl/internal/failure"
	"github.com/pkictl/pkictl/internal/store"
)

const profileFileHelp = `
A file given with --profile-file holds profiles that take the place of the
built-in ones. It is a configuration of cfssl (JSON with signing), or YAML as
in the example below; its default is the profile "default" of cfssl, that of
"default: NAME" in YAML, or the first. What a profile may hold:

  name         NAME
  usages       as in Kubernetes' certificates API: digital signature, client auth ...
  validity     90d, 8h, 1y    what a certificate gets unless --validity says otherwise
  backdate     5m             how long before now it begins
  key          ecdsa-p256     what is made unless --key says otherwise
  crlURL, ocspURL, issuerURLs
  limits       what no certificate may go beyond; without one there is none:
    commonNames, groups, dns, uris, emails
                              lists in which * stands for any characters, and
                              ^...$ is a regular expression
    ips                       a list like 10.0.0.0/8
    keys                      a list like ecdsa-p256, rsa-4096
    maxValidity, maxNames     30d, and the number of alternative names
  csr          what the requests of others (--csr) may say:
    subject                   common name and groups: true, or false
    names                     alternative names: true for servers, else false
    allow                     a list of what --allow takes

Names that begin with system: or kubeadm: need a limit that does, and the groups
system:masters and system:nodes need to be named in full. A * in uris does not
stand for any of / ? # and @. What goes beyond a limit is refused (exit code
4); what is not understood in the file is an error that names the line.
`

const profileFileExample = `  printf 'apiVersion: pkictl.dev/v1\nkind: Profiles\nprofiles:\n- {name: dev, usages: [digital signature, client auth], validity: 8h, limits: {groups: [dev-*]}}\n' > profiles.yaml
  pkictl issue --cn ben --group dev-web --profile-file profiles.yaml
`

const csrHelp = `
With --csr it signs the certificate request of somebody who keeps the key. The
request must be signed with that key. Of it are taken the public key, the
common name, the groups and, where the profile allows it (server and peer do),
the alternative names; --cn, --group, --dns, --ip, --uri and --email each take
the place of what the request says. All else in it is left out with a warning,
or refused: CA:TRUE and the usages of a CA always, and unless allowed by name
with --allow the group system:masters, weak keys and hashes, and more than 100
names. Common names and groups that begin with system: or kubeadm: make parts
and administrators of a cluster: a request for one is refused, unless --cn and
--group say it, the limits of the profile name it, or it is allowed as in
--allow name:system:node:w1 --allow group:system:nodes. It writes PREFIX.crt
alone.`

const csrExample = `  openssl req -new -newkey rsa:2048 -nodes -keyout web.key -subj /CN=web.example.com -addext subjectAltName=DNS:web.example.com -out web.csr
  pkictl issue --csr web.csr --profile server`

// reservedNames are what the requests of kubeadm ask for, as --allow takes it.
var reservedNames = []string{
	ca.AllowGroup + "system:nodes", ca.AllowGroup + "kubeadm:cluster-admins",
	ca.AllowName + "system:kube-controller-manager", ca.AllowName + "system:kube-scheduler",
}

// readFiles reads the profiles and the certificate request that flags name.
func (f *issueFlags) readFiles(cmd *cobra.Command, in io.Reader) error {
	changed := cmd.Flags().Changed
	if !changed("key") {
		f.Key = "" // the profile's
	}
	if f.profileFile != "" {
		if !changed("profile") {
			f.Profile = "" // the file's
		}
		var err error
		if f.Profiles, err = ca.LoadProfiles(f.profileFile); err != nil {
			return err
		}
	}
	if f.csr == "" {
		if changed("allow") {
			return failure.New(failure.Usage, "add --csr FILE, or leave it out", "--allow is for certificate requests")
		}
		return nil
	}
	if f.kubeconfig != "" {
		return failure.New(failure.Usage, "leave --kubeconfig out; its owner adds certificate and key with: kubectl config set-credentials",
			"--kubeconfig needs the private key, which stays with the owner of the request")
	}
	if f.export.form != "" {
		return failure.New(failure.Usage, "leave -o out; its owner has the key", "-o %s needs the private key, which stays with the owner of the request", f.export.form)
	}
	if f.file != "" {
		return failure.New(failure.Usage, "sign them one by one", "--csr and -f exclude each other")
	}
	request, err := readRequest(f.csr, in)
	if err != nil {
		return err
	}
	return f.TakeRequest(request)
}

func readRequest(path string, in io.Reader) (*ca.CertificateRequest, error) {
	if path != "-" {
		return ca.ReadRequest(path)
	}
	const name = "standard input"
	data, err := store.ReadAll(in, name, store.MaxPEM)
	if err != nil {
		return nil, err
	}
	return ca.ParseRequest(data, name)
}
