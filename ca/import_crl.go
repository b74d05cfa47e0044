package ca

import (
	"context"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"io/fs"
	"math/big"
	"path/filepath"
	"regexp"
	"strings"
	"sync"

	"github.com/pkictl/pkictl/internal/store"
)

// maxNumberFile is more than openssl's crlnumber ever holds, in bytes.
const maxNumberFile = 1 << 10

// readOthers takes what tools keep beside their certificates: the inventory of
// a pkictl directory, openssl's crlnumber, and the kubeconfigs that kubeadm has
// above its PKI directory.
func (f *finding) readOthers(ctx context.Context, s importSource, root string) error {
	if err := f.readInventory(ctx, root); err != nil {
		return err
	}
	if s.index != "" {
		data, err := store.Read(filepath.Join(filepath.Dir(s.index), "crlnumber"), maxNumberFile)
		if next, isNumber := new(big.Int).SetString(strings.TrimSpace(string(data)), 16); err == nil && isNumber && next.Sign() > 0 {
			f.raiseCRLNumber(next.Sub(next, big.NewInt(1))) // the file has that of the next list
		}
	}
	if s.tool != toolKubeadm {
		return nil
	}
	paths, err := filepath.Glob(filepath.Join(root, "..", "*.conf"))
	for _, path := range paths {
		if isFile(path) {
			f.read(path)
		}
	}
	return err
}

// readInventory takes over what another directory of pkictl's knows.
func (f *finding) readInventory(ctx context.Context, root string) error {
	inv, err := store.OpenInventory(root)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer inv.Close()
	next, err := inv.NextCRL(ctx, f.authority.aki(), nil)
	if err != nil {
		return err
	}
	f.raiseCRLNumber(next.Sub(next, big.NewInt(1)))
	rows, err := inv.List(ctx, store.Filter{AKI: f.authority.aki(), WithPEM: true})
	if err != nil {
		return err
	}
	for _, row := range rows {
		if block, _ := pem.Decode([]byte(row.PEM)); block != nil {
			if cert, err := x509.ParseCertificate(block.Bytes); err == nil {
				f.add(cert, "")
			}
		}
		serial, isNumber := new(big.Int).SetString(row.Serial, 10)
		if isNumber && row.Status == store.StatusRevoked {
			f.index = append(f.index, indexRow{
				status: indexRevoked, serial: serial, expires: row.Expiry, revokedAt: row.RevokedAt, reason: row.Reason,
				name: row.CommonName.String,
			})
		}
	}
	return nil
}

// addCRL takes number and entries of a revocation list of the CA.
func (f *finding) addCRL(der []byte) {
	list, err := x509.ParseRevocationList(der)
	if err != nil || list.CheckSignatureFrom(f.authority.Certificate) != nil {
		return // another CA's, or none
	}
	f.raiseCRLNumber(list.Number)
	for _, entry := range list.RevokedCertificateEntries {
		f.index = append(f.index, indexRow{
			status: indexRevoked, serial: entry.SerialNumber, revokedAt: entry.RevocationTime, reason: entry.ReasonCode,
			expires: f.authority.Certificate.NotAfter, // nobody knows; so that lists go on naming it
		})
	}
}

func (f *finding) raiseCRLNumber(number *big.Int) {
	if number != nil && number.Sign() > 0 && (f.crlNumber == nil || number.Cmp(f.crlNumber) > 0) {
		f.crlNumber = number
	}
}

// embedded finds the certificates in a kubeconfig.
var embedded = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`client-certificate-data["']?:\s*["']?([A-Za-z0-9+/=]+)`)
})

// readKubeconfig takes the first certificate of each user.
func (f *finding) readKubeconfig(data []byte, path string) {
	for _, match := range embedded().FindAllSubmatch(data, -1) {
		decoded, err := base64.StdEncoding.DecodeString(string(match[1]))
		if err != nil {
			continue
		}
		block, _ := pem.Decode(decoded)
		if block == nil {
			continue
		}
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil || f.reject(cert) != "" {
			continue // kubeconfigs of other clusters stand anywhere
		}
		f.add(cert, "")
		if known := f.certs[f.keyOf(cert)]; known != nil && known.cert.Equal(cert) {
			known.also = append(known.also, path)
		}
	}
}

// reserveCRL has the numbers of revocation lists go on where they were.
func (f *finding) reserveCRL(ctx context.Context, inv *store.Inventory) error {
	if f.crlNumber == nil {
		return nil
	}
	next, err := inv.NextCRL(ctx, f.authority.aki(), nil)
	if err != nil || next.Cmp(f.crlNumber) > 0 {
		return err
	}
	return inv.ReserveCRL(f.authority.aki(), f.crlNumber)
}
