package cluster

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"filippo.io/age"
	"filippo.io/age/agessh"
	"filippo.io/age/armor"
	"golang.org/x/crypto/ssh"

	"github.com/pkictl/pkictl/ca"
	"github.com/pkictl/pkictl/internal/failure"
	"github.com/pkictl/pkictl/internal/store"
)

// Recipients say who can open a bundle: the holders of keys, or whoever knows a
// passphrase. Never both: age takes a passphrase for a proof of who made the file.
type Recipients struct {
	// Keys are public keys as age takes them: age1…, age1pq1…, ssh-ed25519 …
	// or ssh-rsa ….
	Keys []string
	// Files hold such keys, one in a line; empty lines and those that begin with
	// # are passed over.
	Files []string
	// Passphrase is asked for one where there are no keys.
	Passphrase ca.Passphrase
}

// maxKeysFile is the largest file of recipients or identities that is read, in
// bytes.
const maxKeysFile = 1 << 20

// resolve reads the keys. Names are how results call them.
func (r Recipients) resolve() (recipients []age.Recipient, names []string, err error) {
	add := func(key, where string) error {
		recipient, err := parseRecipient(key)
		if err != nil {
			return failure.Wrap(err, failure.Usage, "a recipient is the public part of a key: age1..., ssh-ed25519 ... or ssh-rsa ...; age-keygen makes one",
				"%s is not a recipient", where)
		}
		if name := recipientName(key); !slices.Contains(names, name) {
			recipients, names = append(recipients, recipient), append(names, name)
		}
		return nil
	}
	for i, key := range r.Keys {
		// It may be a secret key that was taken for the public one.
		if err := add(key, fmt.Sprintf("--recipient number %d", i+1)); err != nil {
			return nil, nil, err
		}
	}
	for _, path := range r.Files {
		data, err := store.Read(path, maxKeysFile)
		if err != nil {
			return nil, nil, err
		}
		before := len(recipients)
		number := 0
		for line := range strings.Lines(string(data)) {
			number++
			line = strings.TrimSpace(line)
			if line == "" || line[0] == '#' {
				continue
			}
			if err := add(line, fmt.Sprintf("line %d of %q", number, path)); err != nil {
				return nil, nil, err
			}
		}
		if number == 0 || len(recipients) == before && len(r.Keys) == 0 && len(r.Files) == 1 {
			return nil, nil, failure.New(failure.Usage, "write a recipient into each line", "there is no recipient in %q", path)
		}
	}
	return recipients, names, nil
}

// errRecipient says no more: the text may be a secret key.
var errRecipient = errors.New("it is of no kind that is known here")

func parseRecipient(key string) (age.Recipient, error) {
	var recipient age.Recipient
	var err error
	switch {
	case strings.HasPrefix(key, "AGE-SECRET-KEY-"), strings.HasPrefix(key, "-----BEGIN"):
		return nil, errors.New("it is a secret key")
	case strings.HasPrefix(key, "age1pq1"):
		recipient, err = age.ParseHybridRecipient(key)
	case strings.HasPrefix(key, "age1") && strings.Count(key, "1") > 1:
		return nil, errors.New("it needs a plugin of age; make the archive with the commands of --explain")
	case strings.HasPrefix(key, "age1"):
		recipient, err = age.ParseX25519Recipient(key)
	case strings.HasPrefix(key, "ssh-ed25519 "), strings.HasPrefix(key, "ssh-rsa "):
		recipient, err = agessh.ParseRecipient(key)
	default:
		return nil, errRecipient
	}
	if err != nil {
		return nil, errors.New("it is damaged, or cut off")
	}
	return recipient, nil
}

// recipientName is the key itself, or kind and comment of one of SSH.
func recipientName(key string) string {
	kind, rest, isSSH := strings.Cut(key, " ")
	if !isSSH {
		return key
	}
	public, comment, _, _, err := ssh.ParseAuthorizedKey([]byte(key))
	if err != nil { // it was parsed before
		return kind + " " + rest
	}
	return strings.TrimSpace(kind + " " + ssh.FingerprintSHA256(public) + " " + comment)
}

// byPassphrase returns what stands for a passphrase that is asked for.
func (r Recipients) byPassphrase(path string) (age.Recipient, error) {
	name := fmt.Sprintf("bundle %q", path)
	passphrase, err := askBundle(r.Passphrase, name, failure.New(failure.Refused,
		"say who can open it with --recipient, --recipients-file or --"+passphraseFlag,
		"%s would hold the keys of the CAs, and there is nobody to encrypt it to", name))
	if err != nil {
		return nil, err
	}
	defer clear(passphrase)
	if n := utf8.RuneCount(passphrase); n < ca.MinPassphrase {
		return nil, failure.New(failure.Usage, "take several words, or what a password manager makes",
			"the passphrase for %s has %d characters, and needs %d", name, n, ca.MinPassphrase)
	}
	return age.NewScryptRecipient(string(passphrase))
}

const passphraseFlag = "passphrase-file"

// askBundle asks for a passphrase; none is the error where nobody is to ask.
func askBundle(ask ca.Passphrase, name string, none error) ([]byte, error) {
	if ask == nil {
		return nil, none
	}
	passphrase, err := ask(name)
	if errors.Is(err, ca.ErrNoPassphrase) {
		return nil, none
	}
	return passphrase, err
}

// encrypt encrypts an archive.
func encrypt(archive []byte, recipients []age.Recipient) ([]byte, error) {
	var out bytes.Buffer
	w, err := age.Encrypt(&out, recipients...)
	if err != nil { // post-quantum keys beside others
		return nil, failure.Wrap(err, failure.Usage, "make a bundle for each kind of key", "the recipients cannot be taken together")
	}
	if _, err := w.Write(archive); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

// Identities say how a bundle is opened.
type Identities struct {
	// Files hold secret keys: those of age, one in a line, or one of SSH.
	Files []string
	// Passphrase is asked for that of a bundle, and of an encrypted SSH key.
	Passphrase ca.Passphrase
}

// ageMagic begins every file that age has encrypted.
const ageMagic = "age-encryption.org/"

// isAge says whether data was encrypted by age, in binary or in text form.
func isAge(data []byte) bool {
	return bytes.HasPrefix(data, []byte(ageMagic)) || bytes.HasPrefix(data, []byte(armor.Header))
}

// decrypt returns the archive in an encrypted bundle; name is what errors call it.
func (i Identities) decrypt(data []byte, name string) ([]byte, error) {
	if !isAge(data) {
		return nil, failure.New(failure.Failed, "name a file that pkictl cluster bundle has made", "%q is not a bundle: age has not encrypted it", name)
	}
	var source io.Reader = bytes.NewReader(data)
	if !bytes.HasPrefix(data, []byte(ageMagic)) {
		source = armor.NewReader(source)
	}
	identities, err := i.resolve()
	if err != nil {
		return nil, err
	}
	identities = append(identities, &passphraseIdentity{ask: i.Passphrase, name: name})
	plain, err := age.Decrypt(source, identities...)
	if err != nil {
		return nil, openError(err, name, len(i.Files) > 0)
	}
	archive, err := store.ReadAll(plain, name, maxBundle)
	if err != nil { // the end of it is authenticated as well
		return nil, damagedBundle(name, "it is cut off, or was changed")
	}
	return archive, nil
}

// openError says why a bundle cannot be opened.
func openError(err error, name string, hasIdentity bool) error {
	var known *failure.Error
	var noMatch *age.NoIdentityMatchError
	switch {
	case errors.As(err, &known):
		return known
	case !errors.As(err, &noMatch):
		return damagedBundle(name, "its header cannot be read")
	case slices.Contains(noMatch.StanzaTypes, "scrypt"):
		return failure.New(failure.Failed, "check for a typing error", "the passphrase of bundle %q is wrong", name)
	case !hasIdentity:
		return failure.New(failure.Failed, "pass --identity with the file of one of the keys, of age or SSH", "bundle %q is encrypted to keys", name)
	}
	return failure.New(failure.Failed, "the secret key of one of those that --recipient named has to be in it",
		"no key of --identity opens bundle %q", name)
}

// resolve reads the secret keys.
func (i Identities) resolve() ([]age.Identity, error) {
	var identities []age.Identity
	for _, path := range i.Files {
		data, err := store.Read(path, maxKeysFile)
		if err != nil {
			return nil, err
		}
		found, err := i.parse(data, path)
		clear(data)
		if err != nil {
			return nil, err
		}
		identities = append(identities, found...)
	}
	return identities, nil
}

func (i Identities) parse(data []byte, path string) ([]age.Identity, error) {
	const hint = "an identity file is one of age-keygen, or an SSH key of kind ed25519 or rsa"
	switch {
	case isAge(data):
		return nil, failure.New(failure.Failed, "decrypt it first, as in --identity <(age -d FILE)", "identity file %q is itself encrypted by age", path)
	case bytes.HasPrefix(data, []byte("-----BEGIN")):
		identity, err := i.parseSSH(data, path)
		if err != nil {
			return nil, failure.New(failure.Failed, hint, "%q holds no SSH key that can be used", path)
		}
		return []age.Identity{identity}, nil
	}
	identities, err := age.ParseIdentities(bytes.NewReader(data))
	if err != nil { // whose text may hold a part of a key
		return nil, failure.New(failure.Failed, hint, "%q holds no secret key of age, or a damaged one", path)
	}
	return identities, nil
}

// parseSSH reads an SSH key. If that is encrypted its passphrase is asked for
// when it is known that the bundle is for that key.
func (i Identities) parseSSH(data []byte, path string) (age.Identity, error) {
	identity, err := agessh.ParseIdentity(data)
	var missing *ssh.PassphraseMissingError
	if !errors.As(err, &missing) || missing.PublicKey == nil {
		return identity, err
	}
	return agessh.NewEncryptedSSHIdentity(missing.PublicKey, bytes.Clone(data), func() ([]byte, error) {
		name := fmt.Sprintf("key %q", path)
		return askBundle(i.Passphrase, name, failure.New(failure.Failed, "pass --"+passphraseFlag, "%s is encrypted", name))
	})
}

// maxWorkFactor is the most that a bundle may have scrypt do: 2^20 is four times
// what age takes, and needs 1 GiB of memory.
const maxWorkFactor = 20

// passphraseIdentity asks for a passphrase when it is known that one is needed.
type passphraseIdentity struct {
	ask  ca.Passphrase
	name string
}

// Unwrap implements age.Identity.
func (i *passphraseIdentity) Unwrap(stanzas []*age.Stanza) ([]byte, error) {
	if len(stanzas) != 1 || stanzas[0].Type != "scrypt" {
		return nil, age.ErrIncorrectIdentity
	}
	name := fmt.Sprintf("bundle %q", i.name)
	passphrase, err := askBundle(i.ask, name, failure.New(failure.Failed, "pass --"+passphraseFlag, "%s is encrypted with a passphrase", name))
	if err != nil {
		return nil, err
	}
	defer clear(passphrase)
	identity, err := age.NewScryptIdentity(string(passphrase))
	if err != nil {
		return nil, failure.New(failure.Failed, "pass --"+passphraseFlag, "the passphrase of %s is empty", name)
	}
	identity.SetMaxWorkFactor(maxWorkFactor)
	return identity.Unwrap(stanzas)
}
