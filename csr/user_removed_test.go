package csr

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
)

var testID = "X509SHA256=" + strings.Repeat("0a", 32)

// TestRemovedUser comes back from what the ConfigMap holds, under a key that
// Kubernetes takes.
func TestRemovedUser(t *testing.T) {
	t.Parallel()
	now := time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)
	keys := map[string]bool{}
	for _, name := range []string{"jane", "https://issuer/jane", "sha256-jane", "..", "", "Jane", strings.Repeat("x", 300), "\x1b"} {
		user := RemovedUser{Name: name, Removed: now, Credentials: []Credential{{Serial: "0A", ID: testID, Groups: []string{"developers"}, NotAfter: now.Add(time.Hour)}}}
		text, err := user.value()
		key := removedKey(name)
		got, isValid := parseRemoved(key, text)
		if err != nil || !keyForm().MatchString(key) || keys[key] || isValid != (name != "") {
			t.Errorf("%q: key %q, %v, %v", name, key, isValid, err)
		}
		keys[key] = true
		if isValid && (got.Name != name || got.Credentials[0].User != name || got.Credentials[0].ID != testID) {
			t.Errorf("%+v", got)
		}
		if _, isValid := parseRemoved("another", text); isValid {
			t.Errorf("%q is taken under another's key", name)
		}
	}
}

// TestRemovedPatch forgets whose certificates have ended, and nothing else.
func TestRemovedPatch(t *testing.T) {
	t.Parallel()
	now := time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)
	object := &corev1.ConfigMap{Data: map[string]string{"strange": "x"}}
	object.ResourceVersion = "7"
	for name, end := range map[string]time.Duration{"over": -time.Hour, "valid": time.Hour} {
		object.Data[name], _ = RemovedUser{Name: name, Credentials: []Credential{{Serial: "0A", ID: testID, NotAfter: now.Add(end)}}}.value()
	}
	var patch struct {
		Metadata struct{ ResourceVersion string }
		Data     map[string]*string
	}
	if err := json.Unmarshal(removedPatch(object, "jane", "{}", now), &patch); err != nil {
		t.Fatal(err)
	}
	over, isThere := patch.Data["over"]
	if len(patch.Data) != 2 || !isThere || over != nil || *patch.Data["jane"] != "{}" || patch.Metadata.ResourceVersion != "7" {
		t.Errorf("%+v", patch)
	}
}

func FuzzParseRemoved(f *testing.F) {
	f.Add("jane", `{"user":"jane","removed":"2030-01-02T03:04:05Z","credentials":[{"serial":"0A","credentialID":"`+testID+`","notAfter":"2030-01-02T03:04:05Z"}]}`)
	f.Add("jane", `{"user":"jane","credentials":[{}]}`)
	f.Add("", "[]")
	f.Fuzz(func(t *testing.T, key, value string) {
		user, isValid := parseRemoved(key, value)
		if !isValid {
			return
		}
		for _, c := range user.Credentials {
			if !c.isWellFormed() || c.User != user.Name {
				t.Errorf("%+v", c)
			}
		}
		if text, err := user.value(); err != nil {
			t.Errorf("%v", err)
		} else if _, isValid := parseRemoved(key, text); !isValid {
			t.Errorf("%q does not come back", text)
		}
	})
}
