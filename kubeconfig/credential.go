package kubeconfig

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/pkictl/pkictl/internal/failure"
)

// Want says what a credential is for. All of it decides what is minted, so that
// credentials which differ in any of it are kept apart.
type Want struct {
	CommonName string
	Groups     []string
	Key        string        // name of a kind of key
	Lifetime   time.Duration // that is asked for
	Source     []string      // who signs it, and where
}

// ID names the credential in the cache: 128 bits of SHA-256.
func (w Want) ID() string {
	data, err := json.Marshal(w)
	if err != nil {
		panic(err) // strings and a number
	}
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:16])
}

// Credential is a certificate with its key.
type Credential struct {
	Certificate *x509.Certificate
	CertPEM     []byte // with the intermediate CAs behind it
	KeyPEM      []byte
	// AskAgain is when whoever uses it is to ask for the next one. It is before
	// the certificate ends, and at least a second from now.
	AskAgain time.Time
}

// newCredential checks that certificate and key belong together.
func newCredential(certPEM, keyPEM []byte) (*Credential, error) {
	pair, err := tls.X509KeyPair(certPEM, keyPEM)
	if err != nil {
		return nil, errors.New("key and certificate do not belong together") // the cause may quote them
	}
	return &Credential{Certificate: pair.Leaf, CertPEM: certPEM, KeyPEM: keyPEM}, nil
}

// isFor says whether a certificate is what was wanted. The order of groups
// means nothing to Kubernetes, and signers sort them.
func (w Want) isFor(cert *x509.Certificate) bool {
	sorted := func(list []string) []string { return slices.Sorted(slices.Values(list)) }
	return cert.Subject.CommonName == w.CommonName && slices.Equal(sorted(cert.Subject.Organization), sorted(w.Groups))
}

// Mint gets a new certificate for a new key, in PEM. It ends when ctx does.
type Mint func(ctx context.Context, m *Minting) (certPEM, keyPEM []byte, err error)

// CredentialCache hands out credentials, and keeps them in files of mode 0600
// until it is time for the next one. However many processes ask at once, one
// of them mints and the others take what it got. A cache that cannot be used
// costs a warning, and time.
type CredentialCache struct {
	Dir   string // made with mode 0700; empty: nothing is kept
	Now   func() time.Time
	Warn  func(warning string)
	Wait  time.Duration // how long minting, or waiting for who mints, may take
	Renew bool          // mint though there is one that holds
	// Check says whether what is wanted can be had at all, before anything is
	// written. It may be nil.
	Check func() error
	// Issuer names the CA that signs now, where that is known: what another one
	// has signed is due. It may be empty.
	Issuer string
}

const (
	// ahead is how much less time there is to mint when the old credential
	// still holds: somebody waits for kubectl.
	ahead = 5 * time.Second
	// maxRetry is the longest time until minting is tried again when it failed
	// while the old credential still held.
	maxRetry = time.Minute
	// skew is how far the clock may have gone back, or that of another process
	// that was started before differ, since a credential was minted.
	skew = time.Minute
)

// Get returns a credential: the one in the cache, or if that is due a new one.
// Where minting fails and the old one still holds, it returns that one with a
// warning.
func (c *CredentialCache) Get(ctx context.Context, w Want, mint Mint) (*Credential, error) {
	s := c.slot(w)
	held, err := s.read()
	if err == nil && !c.Renew && c.isFresh(held) {
		return held.answer(c.Now()), nil
	}
	if c.Check != nil {
		if err := c.Check(); err != nil {
			return nil, err
		}
	}
	if err := s.prepare(); err != nil {
		c.warnOf(err, "the credential is not kept")
		s.dir = ""
	}
	wait := c.Wait
	isSpare := err == nil && !c.Renew && c.holds(held)
	if isSpare {
		wait = min(wait, ahead)
	}
	bounded, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	unlock, err := s.lock(bounded)
	switch {
	case err != nil && isSpare && ctx.Err() == nil:
		return s.keepOld(held, err), nil
	case err != nil:
		return nil, err
	}
	defer unlock()
	return s.renew(bounded, mint)
}

// isFresh says whether a credential need not be renewed yet.
func (c *CredentialCache) isFresh(e *cachedEntry) bool {
	now := c.Now()
	due := e.RenewAt
	if e.RetryAt.After(due) {
		due = e.RetryAt
	}
	return now.Before(due) && c.holds(e) && !now.Before(e.IssuedAt.Add(-skew)) &&
		(c.Issuer == "" || e.Issuer == "" || c.Issuer == e.Issuer)
}

// holds says whether a credential can still be used.
func (c *CredentialCache) holds(e *cachedEntry) bool {
	return c.Now().Before(e.credential.Certificate.NotAfter)
}

// answer is the credential with the time at which to ask again.
func (e *cachedEntry) answer(now time.Time) *Credential {
	again := e.RenewAt
	if e.RetryAt.After(again) {
		again = e.RetryAt
	}
	answer := *e.credential
	answer.AskAgain = clamp(again, now.Add(time.Second), answer.Certificate.NotAfter).Truncate(time.Second)
	return &answer
}

func clamp(t, low, high time.Time) time.Time {
	if t.After(high) {
		t = high
	}
	if t.Before(low) {
		t = low
	}
	return t
}

// renew mints, unless another process just did. The lock of the slot is held.
func (s *slot) renew(ctx context.Context, mint Mint) (*Credential, error) {
	held, err := s.read()
	switch {
	case err == nil && !s.cache.Renew && s.cache.isFresh(held):
		return held.answer(s.cache.Now()), nil
	case err != nil && !errors.Is(err, errAbsent):
		s.cache.warnOf(err, "the credential in the cache is not used")
	}
	m := &Minting{slot: s}
	if err == nil && s.cache.holds(held) {
		m.Held = held.credential
	}
	if err == nil && string(m.Pending()) == held.Key {
		m.DropPending() // the one before was killed between success and this
	}
	next, err := s.mint(ctx, m, mint)
	if err != nil && m.Held != nil && !s.cache.Renew && s.cache.holds(held) && !errors.Is(ctx.Err(), context.Canceled) {
		answer := s.keepOld(held, err)
		_ = s.write(held) // otherwise the next one tries at once
		return answer, nil
	}
	if err != nil {
		return nil, err
	}
	if err := s.write(next); err != nil {
		s.cache.warnOf(err, "the credential is not kept")
	} else {
		m.DropPending()
	}
	return next.answer(s.cache.Now()), nil
}

func (s *slot) mint(ctx context.Context, m *Minting, mint Mint) (*cachedEntry, error) {
	certPEM, keyPEM, err := mint(ctx, m)
	if err != nil {
		return nil, err
	}
	return s.newEntry(certPEM, keyPEM)
}

// newEntry checks what was minted, and says when it is due. That differs from
// one to the next, so that those who began together do not stay together.
func (s *slot) newEntry(certPEM, keyPEM []byte) (*cachedEntry, error) {
	c, err := newCredential(certPEM, keyPEM)
	if err != nil {
		return nil, failure.Wrap(err, failure.Failed, "", "the signer's answer for %q cannot be used", s.want.CommonName)
	}
	now := s.cache.Now()
	life := c.Certificate.NotAfter.Sub(now)
	switch {
	case !s.want.isFor(c.Certificate):
		return nil, failure.New(failure.Failed, "have whoever runs the signer look at it",
			"the signer's certificate is not for %q with the groups that were asked for", s.want.CommonName)
	case life <= 0:
		return nil, failure.New(failure.Failed, "check the clocks of this machine and of the signer",
			"the signer's certificate for %q ended at %s", s.want.CommonName, c.Certificate.NotAfter.UTC().Format(time.RFC3339))
	}
	jitter := rand.N(life/12 + 1) //nolint:gosec // G404: it spreads load and hides nothing
	return &cachedEntry{
		APIVersion: entryVersion, Kind: entryKind, For: s.id, Issuer: s.cache.Issuer,
		IssuedAt: now, RenewAt: now.Add(life*2/3 - jitter).Truncate(time.Second),
		Certificate: string(certPEM), Key: string(keyPEM), credential: c,
	}, nil
}

// keepOld hands out the credential that still holds, and notes when to try
// again: not each call is to wait for what fails.
func (s *slot) keepOld(e *cachedEntry, err error) *Credential {
	now, end := s.cache.Now(), e.credential.Certificate.NotAfter
	e.RetryAt = now.Add(min(end.Sub(now)/4, maxRetry)).Truncate(time.Second)
	s.cache.warnOf(err, fmt.Sprintf("the credential of %q is not renewed yet, and holds until %s",
		s.want.CommonName, end.UTC().Format(time.RFC3339)))
	return e.answer(now)
}

// warnOf writes one line for an error and its hint.
func (c *CredentialCache) warnOf(err error, what string) {
	text := what + ": " + err.Error()
	if hint := failure.HintOf(err); hint != "" {
		text += "; " + hint
	}
	c.Warn(text)
}
