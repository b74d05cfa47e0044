package ca

import (
	"crypto"
	"crypto/rsa"
	"crypto/x509"
	"slices"
	"strings"
	"time"

	"github.com/cloudflare/cfssl/config"
	"github.com/cloudflare/cfssl/log"

	"github.com/pkictl/pkictl/internal/failure"
)

func init() {
	log.Level = log.LevelFatal // cfssl writes to standard error otherwise
}

// DefaultValidity is how long a certificate lives unless told otherwise.
const DefaultValidity = 90 * Day

// Names of the built-in profiles.
const (
	ProfileClient = "client"
	ProfileServer = "server"
	ProfilePeer   = "peer"

	profileCA = "ca" // in the inventory only
)

// Profile says what a kind of certificate may be used for. Its zero value
// issues nothing; NewProfile and BuiltinProfile make valid ones.
type Profile struct {
	name string
	raw  config.SigningProfile
}

// NewProfile checks a profile in cfssl's form and returns it for use. What
// cfssl would pass over in silence is an error here: usages it does not know,
// usages without an extended one, and all that would let a request decide
// about its own certificate.
func NewProfile(name string, raw config.SigningProfile) (Profile, error) {
	bad := func(hint, why string) (Profile, error) {
		return Profile{}, failure.New(failure.Usage, hint, "profile %q %s", name, why)
	}
	_, extended, unknown := raw.Usages()
	switch {
	case len(unknown) > 0:
		return Profile{}, failure.New(failure.Usage,
			"known usages: "+usageNames(), "profile %q has the unknown usage %q", name, unknown[0])
	case len(extended) == 0:
		return bad("add an extended usage, as in client auth or server auth", "has no extended key usage")
	case raw.CopyExtensions:
		return bad("remove copy_extensions", "lets a request set its own extensions")
	case raw.CAConstraint.IsCA:
		return bad("make an intermediate CA with init-ca", "would issue CA certificates")
	case raw.RemoteName != "" || raw.AuthRemote.RemoteName != "":
		return bad("remove remote and auth_remote", "signs elsewhere")
	case raw.Expiry < 0:
		return bad("give it an expiry like 2160h", "has a negative expiry")
	}
	if raw.Expiry == 0 {
		raw.Expiry = DefaultValidity
	}
	return Profile{name: name, raw: raw}, nil
}

// usageNames lists what a profile may hold, sorted.
func usageNames() string {
	var names []string
	for name := range config.KeyUsage {
		names = append(names, name)
	}
	for name := range config.ExtKeyUsage {
		names = append(names, name)
	}
	slices.Sort(names)
	return strings.Join(names, ", ")
}

// ProfileNames lists the built-in profiles, the default first.
func ProfileNames() []string { return []string{ProfileClient, ProfileServer, ProfilePeer} }

// BuiltinProfile returns the built-in profile with that name, the default for
// an empty one.
func BuiltinProfile(name string) (Profile, error) {
	usages := map[string][]string{
		ProfileClient: {"digital signature", "client auth"},
		ProfileServer: {"digital signature", "key encipherment", "server auth"},
		ProfilePeer:   {"digital signature", "key encipherment", "server auth", "client auth"},
	}
	if name == "" {
		name = ProfileClient
	}
	if usages[name] == nil {
		return Profile{}, failure.New(failure.Usage,
			"choose one of "+strings.Join(ProfileNames(), ", "), "unknown profile %q", name)
	}
	return NewProfile(name, config.SigningProfile{Usage: usages[name]})
}

// Name returns the profile's name.
func (p Profile) Name() string { return p.name }

// Validity returns how long its certificates live unless told otherwise.
func (p Profile) Validity() time.Duration { return p.raw.Expiry }

// ServerAuth says whether its certificates may stand for a TLS server.
func (p Profile) ServerAuth() bool { return p.has(x509.ExtKeyUsageServerAuth) }

// ClientAuth says whether its certificates may stand for a TLS client.
func (p Profile) ClientAuth() bool { return p.has(x509.ExtKeyUsageClientAuth) }

func (p Profile) has(usage x509.ExtKeyUsage) bool {
	_, extended, _ := p.raw.Usages()
	return slices.Contains(extended, usage)
}

// keyUsage returns the key usage for a certificate with that public key. Only
// RSA keys can encipher a key, and only TLS servers are sent one (RFC 5480,
// section 3; RFC 8446 has no such key exchange at all).
func (p Profile) keyUsage(pub crypto.PublicKey) x509.KeyUsage {
	usage, _, _ := p.raw.Usages()
	if _, isRSA := pub.(*rsa.PublicKey); !isRSA || !p.ServerAuth() {
		usage &^= x509.KeyUsageKeyEncipherment
	}
	return usage
}
