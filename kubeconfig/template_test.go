package kubeconfig_test

import (
	"bytes"
	"testing"

	"github.com/pkictl/pkictl/kubeconfig"
)

// FuzzTemplate: a template gives the bytes that the codec gives.
func FuzzTemplate(f *testing.F) {
	for _, user := range []string{"jane", "u-1-2", "jane.doe", "true", "null", "y", "on", "1e3", "e-", "x:", "a@b", "jane doe", "0x1", "~", "pkictl-user-here", "ünal", "a\nb", "-", "", "nan", "x#y"} {
		f.Add(user, "kubernetes", "dev", []byte("certificate"), []byte("key"))
		f.Add(user, "a cluster with a name that is so long that a line of text would be broken in it somewhere, if lines were", "", []byte{}, []byte{0})
		f.Add(user, "x: 'y'", "true", []byte("pkictl certificate here"), []byte("pkictl private key here"))
	}
	f.Fuzz(func(t *testing.T, user, cluster, namespace string, cert, key []byte) {
		entry := kubeconfig.Entry{Server: "https://10.0.0.10:6443", Cluster: cluster, Namespace: namespace, CAPEM: []byte("CA")}
		template, err := kubeconfig.NewTemplate(entry)
		if err != nil {
			t.Skip(err)
		}
		got, err := template.Marshal(user, cert, key)
		entry.User, entry.CertPEM, entry.KeyPEM = user, cert, key
		want, wantErr := entry.Marshal()
		if !bytes.Equal(got, want) || (err == nil) != (wantErr == nil) {
			t.Errorf("%v, %v:\n%s\nwant\n%s", err, wantErr, got, want)
		}
	})
}
