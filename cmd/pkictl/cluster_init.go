package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/pkictl/pkictl/ca"
	"github.com/pkictl/pkictl/cluster"
)

// clusterInitFlags are the flags of cluster init as they are written.
type clusterInitFlags struct {
	cluster.InitOptions
	config   string
	requests string
	explain  bool
	nodes    []string
	address  string
	etcdSANs []string
	// externalEtcd is the flag of that name: that it was given as false counts, too.
	externalEtcd *pflag.Flag
}

func (a *app) clusterInitCmd() *cobra.Command {
	var f clusterInitFlags
	cmd := &cobra.Command{
		Use:   "init",
		Short: "Make the PKI and the kubeconfigs of a control plane",
		Long: `Make the keys, certificates and kubeconfigs of a control plane, with the names,
subjects, usages and modes that kubeadm gives them: copy the directory to
/etc/kubernetes on the node, and kubeadm init keeps every file.

What is there and right is not touched, so that the same command completes what
an earlier one began. What is there and wrong is said, field by field, and
nothing is written; --repair replaces it. A CA and the keys of service accounts
are never replaced.

Where the CAs are elsewhere, --csr-only makes keys and certificate requests, with
subject, names and usages, beside them as NAME.csr, which the CAs sign: cluster
finish then brings the certificates in. --csr-only=cas makes requests for the
three CAs, of path length 0, to be signed by a root elsewhere; --parent DIR has a
root CA of pkictl sign them (init-ca makes one; they are valid for 5y unless
--ca-validity says otherwise). ca.crt then holds the intermediate CA alone, and
ca-chain.crt those above it, too. Keep it so: with the root in ca.crt the API
server would take certificates of all the root's other CAs, such as etcd's, for
its own users'. What an intermediate CA signs carries its certificate behind it.

With --external-etcd nothing is made for etcd: put its CA, and the certificate
and key that it takes from API servers, where kubeadm's etcd.external says.

With several --node there is a directory for each below the cluster directory,
all with the same CAs. The settings are kept in cluster.yaml, where the next
command finds them; --config reads them from a file of that form, or from
kubeadm's (ClusterConfiguration and InitConfiguration, v1beta3 or v1beta4).`,
		Example: `  pkictl cluster init --node cp-1 --advertise-address 10.0.0.11
  pkictl cluster init --dir ha --endpoint k8s.example.com:6443 --node cp-1=10.0.0.11 --node cp-2=10.0.0.12
  pkictl cluster init --dir ha --san api.example.com --repair
  pkictl cluster init --dir below --node cp-1 --advertise-address 10.0.0.11 --parent pki
  pkictl cluster init --dir external --node cp-1 --advertise-address 10.0.0.11 --csr-only
  pkictl cluster init --node cp-1 --advertise-address 10.0.0.11 --explain`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.clusterInit(cmd, f) },
	}
	f.addSettings(cmd)
	flags := cmd.Flags()
	flags.BoolVar(&f.Repair, "repair", false, "replace what is there and wrong")
	flags.StringVar(&f.requests, "csr-only", "", "make keys and certificate requests for CAs elsewhere: `WHAT` is leaves, or cas for requests of the three CAs")
	flags.Lookup("csr-only").NoOptDefVal = string(cluster.RequestLeaves)
	flags.StringVar(&f.Parent, "parent", "", "PKI `DIRECTORY` of a root CA that signs the three CAs")
	f.Passphrase = a.addPassphrase(cmd)
	addDryRun(cmd, &f.DryRun)
	addExplain(cmd, &f.explain)
	complete(cmd, "csr-only", cluster.RequestsNames()...)
	return cmd
}

// addSettings adds the flags that stand for settings.
func (f *clusterInitFlags) addSettings(cmd *cobra.Command) {
	flags, s := cmd.Flags(), &f.Settings
	flags.StringVar(&f.config, "config", "", "read the settings from this `FILE`: as cluster.yaml, or kubeadm's; flags come before it")
	flags.StringVar(&s.Name, "name", "", "`NAME` of the cluster in kubeconfigs (default "+cluster.DefaultName+")")
	flags.StringArrayVar(&f.nodes, "node", nil, "`NAME[=ADDRESS]` of a node of the control plane; may be given several times (default this machine)")
	flags.StringVar(&f.address, "advertise-address", "", "`ADDRESS` of a node that is alone (default that of the interface with the default route)")
	flags.StringVar(&s.Endpoint, "endpoint", "", "`HOST[:PORT]` that clients dial, such as a load balancer's (default the node's own)")
	flags.IntVar(&s.Port, "port", 0, fmt.Sprintf("`PORT` of the API servers (default %d)", cluster.DefaultPort))
	flags.StringVar(&s.ServiceCIDR, "service-cidr", "", "`RANGE` of services; a second one of the other family after a comma (default "+cluster.DefaultServiceCIDR+")")
	flags.StringVar(&s.DNSDomain, "dns-domain", "", "`DOMAIN` of the cluster (default "+cluster.DefaultDNSDomain+")")
	flags.StringArrayVar(&s.SANs, "san", nil, "another `NAME` or address of the API servers; may be given several times")
	flags.StringArrayVar(&f.etcdSANs, "etcd-san", nil, "another `NAME` or address of etcd; may be given several times")
	flags.BoolVar(&s.ExternalEtcd, "external-etcd", false, "etcd runs elsewhere, with a PKI of its own: make none for it")
	f.externalEtcd = flags.Lookup("external-etcd")
	flags.StringVar(&s.Key, "key", "", "`KIND` of keys: "+clusterKeyKinds()+" (default "+string(ca.ECDSAP256)+")")
	flags.StringVar(&s.KubernetesVersion, "kubernetes-version", "", "`VERSION` of the control plane, which decides about some subjects (default "+cluster.DefaultKubernetesVersion+")")
	flags.StringVar(&s.CAValidity, "ca-validity", "", "`TIME` for which CAs are valid (default 10y)")
	flags.StringVar(&s.Validity, "validity", "", "`TIME` for which the others are valid (default 1y)")
	complete(cmd, "key", cluster.KeyKindNames()...)
}

func clusterKeyKinds() string { return strings.Join(cluster.KeyKindNames(), ", ") }

// settings are those of the flags over those of the file.
func (f *clusterInitFlags) settings(dir string) (warnings []string, err error) {
	f.Dir = dir
	wishes := cluster.Wishes{Settings: f.Settings, NodeNames: f.nodes, Address: f.address, EtcdSANs: f.etcdSANs, Config: f.config}
	if f.externalEtcd.Changed {
		external := f.externalEtcd.Value.String() == "true"
		wishes.External = &external
	}
	return f.Take(wishes)
}

func (a *app) clusterInit(cmd *cobra.Command, f clusterInitFlags) error {
	f.Dir, f.Now, f.Waiting = a.clusterDir, a.now(), a.waitingFor
	warnings, err := f.settings(f.Dir)
	if err != nil {
		return err
	}
	f.Requests = cluster.Requests(f.requests)
	if f.explain {
		a.warn(warnings...)
		return a.explain(cluster.ExplainInit(f.InitOptions))
	}
	steps := a.newSteps()
	steps.begin("making keys and certificates")
	result, err := cluster.Init(cmd.Context(), f.InitOptions)
	steps.clear()
	if err != nil {
		return err
	}
	a.warn(append(warnings, result.Warnings...)...)
	value := struct {
		typeMeta
		*cluster.InitResult
		DryRun bool `json:"dryRun,omitempty"`
	}{kind("ClusterInit"), result, f.DryRun}
	if err := a.print(value, func(w io.Writer) { a.showClusterInit(w, f, result) }); err != nil {
		return err
	}
	if result.Differences != nil {
		return errFound
	}
	return nil
}

func (a *app) showClusterInit(w io.Writer, f clusterInitFlags, result *cluster.InitResult) {
	showEntries(w, f.DryRun || result.Differences != nil, result)
	if result.Differences != nil {
		fmt.Fprintf(w, "\nNothing was written, for this is not as it should be:\n")
		for _, d := range result.Differences {
			fmt.Fprintf(w, "  %s\n", printable(d.String()))
		}
		if result.Awaited != nil || f.Requests == "" {
			fmt.Fprintln(w, printable(result.Remedy(a.clusterDir)))
		}
		return
	}
	if f.Requests != "" {
		a.showRequests(w, f, result)
		return
	}
	if !f.DryRun && len(result.Nodes) > 0 {
		fmt.Fprintf(w, "\nTry it here: pkictl cluster up%s\n", dirFlag(a.clusterDir))
		for _, line := range result.Places() {
			fmt.Fprintln(w, printable(line))
		}
	}
}

func dirFlag(dir string) string { return printable(cluster.DirFlag(dir)) }
