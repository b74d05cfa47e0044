package ca_test

import (
	"strings"
	"testing"
	"time"

	"github.com/cloudflare/cfssl/config"

	"github.com/pkictl/pkictl/ca"
	"github.com/pkictl/pkictl/internal/failure"
)

func TestBuiltinProfile(t *testing.T) {
	t.Parallel()
	tests := map[string]struct{ server, client bool }{
		ca.ProfileClient: {false, true}, ca.ProfileServer: {true, false}, ca.ProfilePeer: {true, true}, "": {false, true},
	}
	for name, want := range tests {
		p, err := ca.BuiltinProfile(name)
		if err != nil || p.ServerAuth() != want.server || p.ClientAuth() != want.client || p.Validity() != ca.DefaultValidity {
			t.Errorf("%q: server %v, client %v, %v (%v)", name, p.ServerAuth(), p.ClientAuth(), p.Validity(), err)
		}
	}
	if len(ca.ProfileNames()) != len(tests)-1 {
		t.Errorf("there are profiles without a test: %q", ca.ProfileNames())
	}
	for _, name := range []string{"ca", "Client", "client ", "root", "default", "\n", "клиент"} {
		_, err := ca.BuiltinProfile(name)
		wantUsage(t, name, err, "unknown profile")
		if hint := failure.HintOf(err); !strings.Contains(hint, "client, server, peer") {
			t.Errorf("%q: hint %q", name, hint)
		}
	}
}

// TestNewProfile has all that cfssl passes over in silence.
func TestNewProfile(t *testing.T) {
	t.Parallel()
	good := func() config.SigningProfile {
		return config.SigningProfile{Usage: []string{"digital signature", "client auth"}}
	}
	tests := []struct {
		name, says string
		change     func(p *config.SigningProfile)
	}{
		{"unknown usage", `unknown usage "clientauth"`, func(p *config.SigningProfile) { p.Usage = []string{"client auth", "clientauth"} }},
		{"usage in another case", "unknown usage", func(p *config.SigningProfile) { p.Usage = []string{"Client Auth"} }},
		{"empty usage", "unknown usage", func(p *config.SigningProfile) { p.Usage = []string{"client auth", ""} }},
		{"no usage", "no extended key usage", func(p *config.SigningProfile) { p.Usage = nil }},
		{"no extended usage", "no extended key usage", func(p *config.SigningProfile) { p.Usage = []string{"digital signature"} }},
		{"extensions from the request", "its own extensions", func(p *config.SigningProfile) { p.CopyExtensions = true }},
		{"CA", "CA certificates", func(p *config.SigningProfile) { p.CAConstraint.IsCA = true }},
		{"remote", "elsewhere", func(p *config.SigningProfile) { p.RemoteName = "other" }},
		{"authenticated remote", "elsewhere", func(p *config.SigningProfile) { p.AuthRemote = config.AuthRemote{RemoteName: "other"} }},
		{"negative expiry", "negative expiry", func(p *config.SigningProfile) { p.Expiry = -time.Second }},
	}
	for _, test := range tests {
		raw := good()
		test.change(&raw)
		_, err := ca.NewProfile("mine", raw)
		wantUsage(t, test.name, err, test.says)
		if err != nil && !strings.Contains(err.Error(), `profile "mine"`) {
			t.Errorf("%s: %v does not name the profile", test.name, err)
		}
	}
	for usage := range config.ExtKeyUsage {
		p, err := ca.NewProfile("mine", config.SigningProfile{Usage: []string{usage}})
		if err != nil || p.Name() != "mine" {
			t.Errorf("%q: %v", usage, err)
		}
	}
	raw := good()
	raw.Expiry = time.Hour
	if p, err := ca.NewProfile("mine", raw); err != nil || p.Validity() != time.Hour {
		t.Errorf("an hour: %v (%v)", p.Validity(), err)
	}
}
