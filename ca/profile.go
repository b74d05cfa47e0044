package ca

import (
	"crypto"
	"crypto/rsa"
	"crypto/x509"
	"maps"
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
// issues nothing; NewProfile, BuiltinProfile and Profiles.Get return valid ones.
type Profile struct {
	name     string
	raw      config.SigningProfile
	key      KeyKind // unless told otherwise; empty: the default kind
	limits   limits
	requests requestRules
	// cfssl says that the profile comes from a configuration of cfssl, which
	// counts an expiry from the beginning of a certificate, not from now.
	cfssl    bool
	file     string   // where it comes from; empty: built in
	warnings []string // what its file says and nothing here heeds
}

// NewProfile checks a profile in cfssl's form and returns it for use. What
// cfssl would pass over in silence is an error here: usages it does not know,
// usages without an extended one, and all that would let a request decide
// about its own certificate.
func NewProfile(name string, raw config.SigningProfile) (Profile, error) {
	bad := func(hint, why string) (Profile, error) {
		return Profile{}, failure.New(failure.Usage, hint, "profile %q %s", name, why)
	}
	usage, extended, unknown := raw.Usages()
	switch {
	case len(unknown) > 0:
		return Profile{}, failure.New(failure.Usage,
			failure.Suggest(unknown[0], usageNames()), "profile %q has the unknown usage %q", name, unknown[0])
	case raw.CAConstraint.IsCA:
		return bad("make an intermediate CA with: pkictl init-ca --parent DIR", "would issue CA certificates")
	case usage&(x509.KeyUsageCertSign|x509.KeyUsageCRLSign) != 0:
		return bad("make an intermediate CA with: pkictl init-ca --parent DIR", "would let its certificates sign others, or revocation lists")
	case raw.RemoteName != "" || raw.AuthRemote.RemoteName != "":
		return bad("remove remote and auth_remote", "signs elsewhere")
	case len(extended) == 0:
		return bad("add an extended usage, as in client auth or server auth", "has no extended key usage")
	case raw.CopyExtensions:
		return bad("remove copy_extensions", "lets a request set its own extensions")
	case len(raw.CTLogServers) > 0:
		return bad("remove ct_log_servers; a cluster's certificates belong into no public log", "sends its certificates to logs")
	case raw.Expiry < 0:
		return bad("give it an expiry like 2160h", "has a negative expiry")
	}
	for i, first := range extended {
		if slices.Contains(extended[i+1:], first) {
			return bad("name each extended usage once; s/mime is email protection", "has an extended usage twice")
		}
	}
	if raw.Expiry == 0 {
		raw.Expiry = DefaultValidity
	}
	p := Profile{name: name, raw: raw}
	p.requests = defaultRequestRules(p)
	return p, nil
}

// usageNames lists what a profile may hold, sorted.
func usageNames() []string {
	var names []string
	for name := range config.KeyUsage {
		names = append(names, name)
	}
	for name := range config.ExtKeyUsage {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
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

// profileNameOf returns the built-in profile whose extended usages a certificate
// has.
func profileNameOf(cert *x509.Certificate) string {
	if cert.IsCA {
		return profileCA
	}
	isServer, isClient, others := false, false, len(cert.UnknownExtKeyUsage) > 0
	for _, usage := range cert.ExtKeyUsage {
		switch usage {
		case x509.ExtKeyUsageServerAuth:
			isServer = true
		case x509.ExtKeyUsageClientAuth:
			isClient = true
		default:
			others = true
		}
	}
	switch {
	case others:
		return profileImported
	case isServer && isClient:
		return ProfilePeer
	case isServer:
		return ProfileServer
	case isClient:
		return ProfileClient
	}
	return profileImported
}

// Name returns the profile's name.
func (p Profile) Name() string { return p.name }

// String names the profile as errors do: with its file, if it comes from one.
func (p Profile) String() string {
	if p.file == "" {
		return `profile "` + p.name + `"`
	}
	return `profile "` + p.name + `" of "` + p.file + `"`
}

// Validity returns how long its certificates live unless told otherwise.
func (p Profile) Validity() time.Duration { return p.raw.Expiry }

// Key returns the kind of key that is made unless told otherwise.
func (p Profile) Key() KeyKind {
	switch {
	case p.key != "":
		return p.key
	case p.limits.keys == nil || slices.Contains(p.limits.keys, string(ECDSAP256)):
		return ECDSAP256
	}
	for _, kind := range KeyKinds() {
		if slices.Contains(p.limits.keys, string(kind)) {
			return kind
		}
	}
	return ECDSAP256 // which the limit will refuse, by name
}

// ServerAuth says whether its certificates may stand for a TLS server.
func (p Profile) ServerAuth() bool { return p.has(x509.ExtKeyUsageServerAuth) }

// ClientAuth says whether its certificates may stand for a TLS client.
func (p Profile) ClientAuth() bool {
	return p.has(x509.ExtKeyUsageClientAuth) || p.has(x509.ExtKeyUsageAny)
}

func (p Profile) has(usage x509.ExtKeyUsage) bool {
	_, extended, _ := p.raw.Usages()
	return slices.Contains(extended, usage)
}

// keyUsage returns the key usage for a certificate with that public key. Only
// RSA keys can encipher a key, and only TLS servers are sent one (RFC 5480,
// section 3; RFC 5280, 4.2.1.12).
func (p Profile) keyUsage(pub crypto.PublicKey) x509.KeyUsage {
	usage, _, _ := p.raw.Usages()
	if _, isRSA := pub.(*rsa.PublicKey); !isRSA || !p.ServerAuth() {
		usage &^= x509.KeyUsageKeyEncipherment
	}
	return usage
}

// warningsFor says what becomes of the profile in a certificate with that key.
func (p Profile) warningsFor(pub crypto.PublicKey) []string {
	warnings := slices.Clone(p.warnings)
	if usage, _, _ := p.raw.Usages(); p.cfssl && usage != p.keyUsage(pub) {
		warnings = append(warnings, "the usage key encipherment is left out, other than by cfssl: it is for RSA keys of servers (RFC 5480, 3; RFC 5280, 4.2.1.12)")
	}
	return warnings
}

// period returns when a certificate of the profile begins and ends if nobody
// says otherwise. Now is in whole seconds.
func (p Profile) period(now time.Time) (notBefore, notAfter time.Time) {
	notBefore = now.Add(-Backdate)
	if p.raw.Backdate > 0 {
		notBefore = now.Add(-p.raw.Backdate)
	}
	if !p.raw.NotBefore.IsZero() {
		notBefore = p.raw.NotBefore.UTC()
	}
	notAfter = now.Add(p.raw.Expiry)
	if p.cfssl {
		notAfter = notBefore.Add(p.raw.Expiry)
	}
	if !p.raw.NotAfter.IsZero() {
		notAfter = p.raw.NotAfter.UTC()
	}
	return notBefore, notAfter
}

// sameAddresses says whether a certificate has the profile's addresses of
// revocation lists, OCSP responders and CA certificates.
func (p Profile) sameAddresses(cert *x509.Certificate) bool {
	one := func(list []string, url string) bool { return slices.Equal(list, nonEmpty(url)) }
	return one(cert.CRLDistributionPoints, p.raw.CRL) && one(cert.OCSPServer, p.raw.OCSP) &&
		slices.Equal(cert.IssuingCertificateURL, p.raw.IssuerURL) && len(cert.PolicyIdentifiers) == len(p.raw.Policies)
}

func nonEmpty(list ...string) []string {
	return slices.DeleteFunc(list, func(s string) bool { return s == "" })
}

// usageWords returns the usages of its certificates in the words that an Item
// has for them.
func (p Profile) usageWords() []string {
	usage, extended, _ := p.raw.Usages()
	var words []string
	for bit, name := range keyUsageNames {
		if usage&(1<<bit) != 0 {
			words = append(words, name)
		}
	}
	for _, oid := range slices.Sorted(maps.Keys(extendedUsageNames)) {
		name := extendedUsageNames[oid]
		if slices.Contains(extended, config.ExtKeyUsage[name]) {
			words = append(words, name)
		}
	}
	return words
}
