package kubeconfig_test

import (
	"strings"
	"testing"

	"github.com/pkictl/pkictl/internal/failure"
	"github.com/pkictl/pkictl/kubeconfig"
)

func TestExecInfo(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, text, says string }{
		{"by hand", "", ""},
		{"kubectl", `{"kind":"ExecCredential","apiVersion":"client.authentication.k8s.io/v1","spec":{"interactive":true}}`, ""},
		{"a newer client", `{"kind":"ExecCredential","apiVersion":"client.authentication.k8s.io/v1","spec":{"interactive":true,"more":[1]},"new":2}`, ""},
		{"v1beta1", `{"kind":"ExecCredential","apiVersion":"client.authentication.k8s.io/v1beta1","spec":{}}`, `version "client.authentication.k8s.io/v1beta1"`},
		{"v2", `{"kind":"ExecCredential","apiVersion":"client.authentication.k8s.io/v2","spec":{}}`, `version "client.authentication.k8s.io/v2"`},
		{"another kind", `{"kind":"Pod","apiVersion":"v1"}`, `holds "Pod" of "v1"`},
		{"nothing in it", `{}`, `holds "" of ""`},
		{"garbage", "\x00\x01", "no ExecCredential in JSON"},
		{"another type", `{"kind":7}`, "no ExecCredential in JSON"},
		{"a list", `[]`, "no ExecCredential in JSON"},
	}
	for _, test := range tests {
		info, err := kubeconfig.ParseExecInfo(test.text)
		switch {
		case test.says == "" && (err != nil || info.Given != (test.text != "") || info.Interactive != info.Given):
			t.Errorf("%s: %+v %v", test.name, info, err)
		case test.says != "" && (err == nil || !strings.Contains(err.Error(), test.says) || failure.KindOf(err) != failure.Usage || failure.HintOf(err) == ""):
			t.Errorf("%s: %v", test.name, err)
		}
	}
}

func FuzzExecInfo(f *testing.F) {
	f.Add(`{"kind":"ExecCredential","apiVersion":"client.authentication.k8s.io/v1","spec":{"interactive":true}}`)
	f.Add(`{"kind":"ExecCredential","apiVersion":"client.authentication.k8s.io/v1beta1"}`)
	f.Add("")
	f.Fuzz(func(t *testing.T, text string) {
		info, err := kubeconfig.ParseExecInfo(text)
		if err == nil && info.Given == (text == "") {
			t.Errorf("%q gives %+v", text, info)
		}
	})
}
