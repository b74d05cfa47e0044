package cluster

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"unicode"

	"github.com/pkictl/pkictl/internal/failure"
)

// Whatever is read can be written and read again; whatever is not is an error
// of the one who wrote it.
func FuzzParseSettings(f *testing.F) {
	full, err := fullSettings().Marshal()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(full)
	for _, name := range []string{"v1beta4", "v1beta3", "external"} {
		data, err := os.ReadFile(filepath.Join("testdata", "kubeadm", name+".yaml"))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	for _, seed := range []string{
		ownHead + "name: y\nsans: [\"\", ~]\n", ccHead + "clusterName: !!binary aGVsbG8=\n", ccHead + "kubernetesVersion: stable-1.36\n",
		ccHead + "caCertificateValidityPeriod: 1h0.5s\n", initHead + "localAPIEndpoint: {bindPort: 0x1F}\n---\n" + joinHead,
		"? {a: b}\n: c\n", "a: &a [*a]\n", "%YAML 1.1\n---\n" + ownHead, "\xff\xfe\x00", "--- |\n a\n...\n",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		s, _, err := ParseSettings(data, "file.yaml")
		if err != nil {
			if failure.KindOf(err) != failure.Usage || failure.HintOf(err) == "" {
				t.Fatalf("kind %d, hint %q: %v", failure.KindOf(err), failure.HintOf(err), err)
			}
			if strings.ContainsFunc(err.Error()+failure.HintOf(err), func(r rune) bool { return !unicode.IsPrint(r) }) {
				t.Fatalf("%q", err)
			}
			return
		}
		written, err := s.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		again, _, err := ParseSettings(written, "again.yaml")
		if err != nil {
			t.Fatalf("%v\n%s", err, written)
		}
		// An empty list is left out.
		if !reflect.DeepEqual(again, withoutEmpty(s)) {
			t.Fatalf("%+v\n%+v", s, again)
		}
	})
}

func withoutEmpty(s Settings) Settings {
	v := reflect.ValueOf(&s).Elem()
	for i := range v.NumField() {
		if field := v.Field(i); field.Kind() == reflect.Slice && field.Len() == 0 {
			field.SetZero()
		}
	}
	return s
}
