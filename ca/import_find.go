package ca

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"io"
	"io/fs"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/pkictl/pkictl/internal/failure"
	"github.com/pkictl/pkictl/internal/store"
)

// maxImportFiles is how many files a directory may have that is imported.
const maxImportFiles = 100_000

// Why something that was found is not recorded.
const (
	skippedOtherCA    = "of another CA"
	skippedWeakHash   = "signed with MD5 or SHA-1, which no verifier takes any more"
	skippedSameSerial = "with the serial number of another certificate"
	skippedDamaged    = "damaged"
	skippedTooLarge   = "in a file larger than 1 MiB"
	skippedUnreadable = "in a file or directory that may not be read"
	skippedNoFile     = "in index.txt only, without a certificate"
)

// finding is what a directory holds of a CA.
type finding struct {
	authority *CA
	files     int
	certs     map[serialKey]*foundCertificate
	order     []serialKey // as they were found
	passed    map[string]int
	index     []indexRow
	crlNumber *big.Int // the highest of its revocation lists; nil: there is none
}

// serialKey names a certificate as the inventory does.
type serialKey struct{ serial, aki string }

type foundCertificate struct {
	cert *x509.Certificate
	path string
	pair bool     // its key stands beside it, where keyPathOf has it
	also []string // kubeconfigs that hold it
}

// keyOf names a certificate of the CA. One that does not name its issuer's key
// is recorded under it all the same: revocation lists are made by issuer.
func (f *finding) keyOf(cert *x509.Certificate) serialKey {
	aki := cert.AuthorityKeyId
	if len(aki) == 0 && !cert.Equal(f.authority.Certificate) {
		aki = f.authority.Certificate.SubjectKeyId
	}
	return serialKey{cert.SerialNumber.String(), hex.EncodeToString(aki)}
}

// collect looks for certificates of the CA below the source's directory.
// Symbolic links are not followed.
func (s importSource) collect(ctx context.Context, authority *CA) (*finding, error) {
	f := &finding{authority: authority, certs: map[serialKey]*foundCertificate{}, passed: map[string]int{}}
	if s.dir == "" {
		return f, nil
	}
	root, err := filepath.EvalSymlinks(s.dir)
	if err != nil {
		return nil, err
	}
	if err := f.readOthers(ctx, s, root); err != nil {
		return nil, err
	}
	err = filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			f.passed[skippedUnreadable]++
			return ctx.Err() // what is beside it may be read
		}
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case entry.IsDir() && path != root && strings.HasPrefix(entry.Name(), "."):
			return fs.SkipDir
		case !entry.Type().IsRegular():
			return nil
		}
		if f.files++; f.files > maxImportFiles {
			return failure.New(failure.Failed, "name the directory of the CA itself", "%q has more than %d files", s.dir, maxImportFiles)
		}
		f.read(path)
		return nil
	})
	if err != nil || s.index == "" {
		return f, err
	}
	rows, err := readIndex(s.index)
	f.index = append(f.index, rows...)
	return f, err
}

// read takes the certificates out of a file, which need not have any.
func (f *finding) read(path string) {
	file, err := os.Open(path)
	if err != nil {
		f.passed[skippedUnreadable]++
		return
	}
	defer file.Close()
	data, err := io.ReadAll(io.LimitReader(file, store.MaxPEM+1))
	switch {
	case err != nil:
		f.passed[skippedUnreadable]++
		return
	case !bytes.Contains(data, []byte("-----BEGIN ")) && !bytes.Contains(data, []byte("client-certificate-data")):
		return
	case len(data) > store.MaxPEM:
		f.passed[skippedTooLarge]++
		return
	}
	f.readKubeconfig(data, path)
	for block, rest := pem.Decode(data); block != nil; block, rest = pem.Decode(rest) {
		switch block.Type {
		case "X509 CRL":
			f.addCRL(block.Bytes)
			continue
		case "CERTIFICATE":
		default:
			continue
		}
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			f.passed[skippedDamaged]++
			continue
		}
		f.add(cert, path)
		path = "" // a key beside the file is that of the first
	}
}

// add keeps a certificate that the CA has signed.
func (f *finding) add(cert *x509.Certificate, path string) {
	if slices.ContainsFunc(f.authority.Bundle(), cert.Equal) {
		return
	}
	if reason := f.reject(cert); reason != "" {
		f.passed[reason]++
		return
	}
	found := &foundCertificate{cert: cert, path: path, pair: hasKeyBeside(path, cert)}
	key := f.keyOf(cert)
	known := f.certs[key]
	switch {
	case key == f.keyOf(f.authority.Certificate):
		f.passed[skippedSameSerial]++
	case known == nil:
		f.certs[key] = found
		f.order = append(f.order, key)
	case !known.cert.Equal(cert):
		f.passed[skippedSameSerial]++
	case found.pair && !known.pair, isSerialName(known) && !isSerialName(found):
		found.also = known.also
		*known = *found
	}
}

// reject says why a certificate is none of the CA's.
func (f *finding) reject(cert *x509.Certificate) string {
	issuer := f.authority.Certificate
	if !bytes.Equal(cert.RawIssuer, issuer.RawSubject) {
		return skippedOtherCA
	}
	var weak x509.InsecureAlgorithmError
	switch err := cert.CheckSignatureFrom(issuer); {
	case errors.As(err, &weak):
		return skippedWeakHash
	case err != nil:
		return skippedOtherCA
	}
	return ""
}

// hasKeyBeside says whether NAME.key beside NAME.crt is the certificate's. One
// that is encrypted is taken at its name.
func hasKeyBeside(path string, cert *x509.Certificate) bool {
	if !strings.HasSuffix(path, ".crt") && !strings.HasSuffix(path, ".pem") {
		return false
	}
	key, err := KeyBeside(keyPathOf(path))
	return err == nil && (key.Encrypted || EqualKeys(key.Public, cert.PublicKey))
}

// baseName is the name of a certificate's file, without what stands for its
// kind.
func baseName(path string) string {
	base := filepath.Base(path)
	return strings.TrimSuffix(base, filepath.Ext(base))
}

// isSerialName says whether a file has its name from the serial number, as
// openssl's and easy-rsa's second copies.
func isSerialName(f *foundCertificate) bool {
	return f.path == "" || strings.EqualFold(baseName(f.path), FormatSerial(f.cert.SerialNumber))
}

// passedOver lists what was not recorded, in a fixed order.
func (f *finding) passedOver() []PassedOver {
	var list []PassedOver
	for _, reason := range []string{
		skippedOtherCA, skippedWeakHash, skippedSameSerial, skippedNoFile, skippedDamaged, skippedTooLarge, skippedUnreadable,
	} {
		if n := f.passed[reason]; n > 0 {
			list = append(list, PassedOver{Reason: reason, Count: n})
		}
	}
	return list
}
