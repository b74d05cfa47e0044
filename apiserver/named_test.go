package apiserver

import (
	"io/fs"
	"slices"
	"testing"
)

// TestNamedPaths: what a file names that a flag names is mounted, however deep.
func TestNamedPaths(t *testing.T) {
	t.Parallel()
	host := map[string]string{
		"/c/hook.conf": `{apiVersion: v1, kind: Config, clusters: [{name: a, cluster: {server: "https://a", certificate-authority: /ca/hook.crt}}],
users: [{name: a, user: {client-certificate: hook.crt, client-key: ../k/hook.key}}]}`,
		"/c/authz.yaml":  "authorizers: [{type: Webhook, name: a, webhook: {connectionInfo: {type: KubeConfigFile, kubeConfigFile: /c/hook.conf}}}]",
		"/c/enc.yaml":    "resources: [{providers: [{kms: {endpoint: 'unix:///run/a/kms.sock'}}, {kms: {endpoint: 'unix:///@abstract'}}]}]",
		"/c/adm.yaml":    "plugins: [{name: ImagePolicyWebhook, path: image.yaml}, {name: PodSecurity, configuration: {defaults: {enforce: baseline}}}]",
		"/c/image.yaml":  "imagePolicy: {kubeConfigFile: /c/hook.conf}",
		"/c/egress.yaml": "egressSelections: [{connection: {transport: {uds: {udsName: /run/k/k.sock}}}}, {connection: {transport: {tcp: {tlsConfig: {caBundle: /e/ca.crt}}}}}]",
		"/c/loop.yaml":   "plugins: [{name: a, path: loop.yaml}]",
		"/c/bad.yaml":    "a: [",
	}
	read := func(path string) ([]byte, error) {
		if text, isThere := host[path]; isThere {
			return []byte(text), nil
		}
		return nil, fs.ErrNotExist
	}
	for _, test := range []struct {
		flag, file string
		want       []string
	}{
		{"audit-webhook-config-file", "/c/hook.conf", []string{"/ca/hook.crt", "/c/hook.crt", "/k/hook.key"}},
		{"authorization-config", "/c/authz.yaml", []string{"/c/hook.conf", "/ca/hook.crt", "/c/hook.crt", "/k/hook.key"}},
		{"encryption-provider-config", "/c/enc.yaml", []string{"/run/a/kms.sock"}},
		{"admission-control-config-file", "/c/adm.yaml", []string{"/c/image.yaml", "/c/hook.conf", "/ca/hook.crt", "/c/hook.crt", "/k/hook.key"}},
		{"admission-control-config-file", "/c/loop.yaml", []string{"/c/loop.yaml"}},
		{"egress-selector-config-file", "/c/egress.yaml", []string{"/run/k/k.sock", "/e/ca.crt"}},
		{"audit-webhook-config-file", "/c/bad.yaml", nil},
		{"audit-webhook-config-file", "/c/none", nil},
		{"client-ca-file", "/c/hook.conf", nil},
	} {
		var got []string
		for _, used := range namedPaths(test.flag, test.file, read) {
			got = append(got, used.path)
		}
		if !slices.Equal(got, test.want) {
			t.Errorf("--%s %s: %q, want %q", test.flag, test.file, got, test.want)
		}
	}

	for endpoint, isRight := range map[string]bool{"unix:///run/kms/a.sock": true, "unix:///@abstract": true, "unix://@abstract": false, "unix://a.sock": false} {
		if _, err := NewPlan(Options{Encryption: EncryptionOptions{Resources: []string{"secrets"}, KMSEndpoint: endpoint}}); (err == nil) != isRight {
			t.Errorf("%s: %v", endpoint, err)
		}
	}

	p, err := NewPlan(Options{Authorization: AuthorizationOptions{ConfigFile: "/c/authz.yaml"}, ReadHost: read})
	if err != nil {
		t.Fatal(err)
	}
	var mounted []string
	for _, v := range p.Volumes {
		mounted = append(mounted, v.Path)
	}
	if want := []string{"/c", "/ca/hook.crt", "/k/hook.key"}; !slices.Equal(mounted, want) {
		t.Errorf("mounted are %q, want %q", mounted, want)
	}
}
