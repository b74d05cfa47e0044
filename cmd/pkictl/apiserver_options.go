package main

import (
	"github.com/spf13/cobra"

	"github.com/pkictl/pkictl/apiserver"
	"github.com/pkictl/pkictl/internal/failure"
)

// apiserverOptions are the flags that say what kube-apiserver is to do, which
// apiserver flags and apiserver patch share. Those that stand for a flag of
// kube-apiserver have its name.
type apiserverOptions struct {
	apiserver.Options
	policyFrom, authenticationFrom, authorizationFrom string
	ciphers                                           []string
}

// strongCiphers is the value of --tls-cipher-suites for a list of our own.
const strongCiphers = "strong"

// addAPIServerOptions adds these flags.
func addAPIServerOptions(cmd *cobra.Command, o *apiserverOptions) {
	flags := cmd.Flags()
	flags.StringVar(&o.Version, "kubernetes-version", "", "`VERSION` of kube-apiserver (default "+apiserver.NewestKnown().String()+")")
	flags.StringVar(&o.Dir, "config-dir", apiserver.DefaultDir, "`DIRECTORY` on the host for the files that kube-apiserver needs")
	flags.BoolVar(&o.Hardened, "cis", false, "add what the CIS benchmark asks for and kubeadm leaves out")
	addAuditOptions(cmd, o)
	addEncryptionOptions(cmd, &o.Encryption)
	addAdmissionOptions(cmd, &o.Admission)
	addIdentityOptions(cmd, o)
	addAccessOptions(cmd, o)
	flags.StringArrayVar(&o.Set, "set", nil, "any other flag of kube-apiserver, `NAME=VALUE`; may be given several times")
	flags.StringArrayVar(&o.Remove, "unset", nil, "`NAME` of a flag that is to go; may be given several times")
}

func addAuditOptions(cmd *cobra.Command, o *apiserverOptions) {
	flags := cmd.Flags()
	flags.StringVar(&o.Audit.PolicyFile, "audit-policy-file", "", "`PATH` of the audit policy on the host")
	flags.StringVar(&o.Audit.Preset, "audit-preset", "", "`NAME` of the policy of audit generate that goes there, like cis")
	flags.StringVar(&o.policyFrom, "audit-policy-from", "", "`FILE` here with the audit policy that goes there")
	flags.StringVar(&o.Audit.LogPath, "audit-log-path", "", "`PATH` of the audit log on the host, - for standard output (default with a policy "+apiserver.DefaultAuditLog+")")
	flags.IntVar(&o.Audit.MaxAge, "audit-log-maxage", 0, "`DAYS` that old audit logs stay (default 30)")
	flags.IntVar(&o.Audit.MaxBackup, "audit-log-maxbackup", 0, "`NUMBER` of old audit logs that stay (default 10)")
	flags.IntVar(&o.Audit.MaxSize, "audit-log-maxsize", 0, "`MEGABYTES` until a new audit log begins (default 100)")
	flags.StringVar(&o.Audit.WebhookConfig, "audit-webhook-config-file", "", "`PATH` on the host of a kubeconfig that names the receiver of events")
	flags.StringVar(&o.Audit.WebhookMode, "audit-webhook-mode", "", "`MODE` in which events are sent: batch, blocking or blocking-strict (default batch)")
	flags.IntVar(&o.Audit.WebhookBatchMaxSize, "audit-webhook-batch-max-size", 0, "`NUMBER` of events in a batch")
	flags.StringVar(&o.Audit.WebhookBatchMaxWait, "audit-webhook-batch-max-wait", "", "`TIME` until a batch goes that is not full")
	complete(cmd, "audit-webhook-mode", "batch", "blocking", "blocking-strict")
}

func addEncryptionOptions(cmd *cobra.Command, o *apiserver.EncryptionOptions) {
	flags := cmd.Flags()
	flags.StringSliceVar(&o.Resources, "encrypt", nil, "`RESOURCES` that are encrypted in etcd from now on, like secrets,configmaps")
	flags.StringVar(&o.Provider, "encryption-provider", "", "`NAME` of what encrypts: secretbox, aescbc, aesgcm or kms (default secretbox)")
	flags.StringVar(&o.KMSEndpoint, "kms-endpoint", "", "`URL` of the KMS plugin's socket, like unix:///run/kms/kms.sock")
	flags.StringVar(&o.KMSName, "kms-name", "", "`NAME` of the KMS plugin (default kms)")
	flags.StringVar(&o.ConfigFile, "encryption-provider-config", "", "`PATH` of the encryption configuration on the host")
	flags.BoolVar(&o.Reload, "encryption-provider-config-automatic-reload", false, "have kube-apiserver read it again when it changes")
	complete(cmd, "encryption-provider", "secretbox", "aescbc", "aesgcm", "kms")
}

func addAdmissionOptions(cmd *cobra.Command, o *apiserver.AdmissionOptions) {
	flags := cmd.Flags()
	flags.StringSliceVar(&o.Enable, "enable-admission-plugins", nil, "`PLUGINS` to add to those that are enabled")
	flags.StringSliceVar(&o.Disable, "disable-admission-plugins", nil, "`PLUGINS` to add to those that are disabled")
	flags.StringVar(&o.ConfigFile, "admission-control-config-file", "", "`PATH` of the admission configuration on the host")
	flags.StringVar(&o.PodSecurity, "pod-security", "", "`LEVEL` of namespaces without labels: privileged, baseline or restricted")
	flags.StringSliceVar(&o.PodSecurityExempt, "pod-security-exempt", nil, "`NAMESPACES` without it (default kube-system)")
	flags.StringVar(&o.ImagePolicyConfig, "image-policy-config", "", "`PATH` on the host of a kubeconfig that names the backend of ImagePolicyWebhook")
	flags.BoolVar(&o.ImagePolicyAllow, "image-policy-allow", false, "allow images while that backend does not answer")
	complete(cmd, "pod-security", "privileged", "baseline", "restricted")
}

// addIdentityOptions adds the flags about certificates.
func addIdentityOptions(cmd *cobra.Command, o *apiserverOptions) {
	flags := cmd.Flags()
	flags.StringVar(&o.TLS.CertFile, "tls-cert-file", "", "`PATH` of the certificate that clients see")
	flags.StringVar(&o.TLS.KeyFile, "tls-private-key-file", "", "`PATH` of its key")
	flags.StringVar(&o.TLS.MinVersion, "tls-min-version", "", "`VERSION` of TLS at least: 1.2 or 1.3")
	flags.StringSliceVar(&o.ciphers, "tls-cipher-suites", nil, "`SUITES` of TLS 1.2, or "+strongCiphers+" for those that the CIS benchmark allows")
	flags.StringVar(&o.ClientCA, "client-ca-file", "", "`PATH` of the CAs of client certificates")
	flags.StringVar(&o.Kubelet.CA, "kubelet-certificate-authority", "", "`PATH` of the CA of the kubelets' serving certificates")
	flags.StringVar(&o.Kubelet.CertFile, "kubelet-client-certificate", "", "`PATH` of the certificate that kubelets see")
	flags.StringVar(&o.Kubelet.KeyFile, "kubelet-client-key", "", "`PATH` of its key")
	complete(cmd, "tls-min-version", "1.2", "1.3")
}

// addAccessOptions adds the flags about authentication and authorization.
func addAccessOptions(cmd *cobra.Command, o *apiserverOptions) {
	flags := cmd.Flags()
	flags.StringSliceVar(&o.Authentication.Anonymous, "anonymous", nil, "`WHERE` requests without credentials are served: none, all, probes, join, or paths like /livez")
	flags.StringVar(&o.Authentication.ConfigFile, "authentication-config", "", "`PATH` of the authentication configuration on the host")
	flags.StringVar(&o.authenticationFrom, "authentication-config-from", "", "`FILE` here with what goes there")
	flags.StringSliceVar(&o.Authorization.Order, "authorization-mode", nil, "`AUTHORIZERS` in their order, like Node,RBAC,Webhook")
	flags.StringVar(&o.Authorization.WebhookConfig, "authorization-webhook-config-file", "", "`PATH` on the host of a kubeconfig that names the authorizer Webhook")
	flags.StringVar(&o.Authorization.WebhookOnError, "authorization-webhook-on-error", "", "`DECISION` while it does not answer: Deny or NoOpinion (default Deny)")
	flags.StringVar(&o.Authorization.ConfigFile, "authorization-config", "", "`PATH` of the authorization configuration on the host")
	flags.StringVar(&o.authorizationFrom, "authorization-config-from", "", "`FILE` here with what goes there")
	complete(cmd, "anonymous", "none", "all", "probes", "join")
	complete(cmd, "authorization-webhook-on-error", "Deny", "NoOpinion")
}

// read reads the files that the flags name and returns what all of them say.
func (o *apiserverOptions) read() (apiserver.Options, error) {
	options := o.Options
	for _, source := range []struct {
		path string
		to   *apiserver.Contents
	}{
		{o.policyFrom, &options.Audit.Policy},
		{o.authenticationFrom, &options.Authentication.Config},
		{o.authorizationFrom, &options.Authorization.Config},
	} {
		if source.path == "" {
			continue
		}
		var err error
		if *source.to, err = apiserver.ReadContents(source.path); err != nil {
			return options, err
		}
	}
	if len(o.ciphers) == 1 && o.ciphers[0] == strongCiphers {
		options.TLS.StrongCiphers = true
		return options, nil
	}
	for _, suite := range o.ciphers {
		if suite == strongCiphers {
			return options, failure.New(failure.Usage, "leave the others out", "--tls-cipher-suites has %s beside others", strongCiphers)
		}
	}
	options.TLS.CipherSuites = o.ciphers
	return options, nil
}
