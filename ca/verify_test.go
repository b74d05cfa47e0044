package ca_test

import (
	"context"
	"crypto"
	"crypto/x509"
	"crypto/x509/pkix"
	"database/sql"
	"encoding/asn1"
	"errors"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/cloudflare/cfssl/certdb"
	_ "modernc.org/sqlite" // the inventory is changed behind the program's back

	"github.com/pkictl/pkictl/ca"
	"github.com/pkictl/pkictl/internal/failure"
	"github.com/pkictl/pkictl/internal/store"
)

func find(t *testing.T, v *ca.Verification, name string) ca.Check {
	t.Helper()
	for _, check := range v.Checks {
		if check.Name == name {
			return check
		}
	}
	t.Fatalf("there is no check %q in %+v", name, v.Checks)
	return ca.Check{}
}

func wantCheck(t *testing.T, check ca.Check, status ca.CheckStatus, said string) {
	t.Helper()
	if check.Status != status || !strings.Contains(check.Found+check.Reason, said) {
		t.Errorf("%s is %s: found %q %q, want %s: %q", check.Name, check.Status, check.Found, check.Reason, status, said)
	}
}

// authority is a CA that is only in memory.
type authority struct {
	cert *x509.Certificate
	key  crypto.Signer
}

func newAuthority(t *testing.T, name string, from, to time.Time, parent *authority) authority {
	t.Helper()
	key := ecKey(t)
	template := &x509.Certificate{
		Subject: pkix.Name{CommonName: name}, IsCA: true, BasicConstraintsValid: true, MaxPathLen: -1,
		KeyUsage: x509.KeyUsageCertSign, NotBefore: from, NotAfter: to,
	}
	if parent == nil {
		return authority{sign(t, template, nil, key.Public(), key), key}
	}
	return authority{sign(t, template, parent.cert, key.Public(), parent.key), key}
}

func (a authority) leaf(t *testing.T, template x509.Certificate) *x509.Certificate {
	t.Helper()
	if template.Subject.CommonName == "" {
		template.Subject.CommonName = "leaf"
	}
	return sign(t, &template, a.cert, ecKey(t).Public(), a.key)
}

func TestCheckChain(t *testing.T) {
	t.Parallel()
	from, to := now.Add(-ca.Day), now.Add(ca.Day)
	root := newAuthority(t, "root", from, to, nil)
	namesake := newAuthority(t, "root", from, to, nil)
	other := newAuthority(t, "other", from, to, nil)
	middle := newAuthority(t, "middle", from, to, &root)
	expiredMiddle := newAuthority(t, "middle", from, now.Add(-time.Hour), &root)
	foreign := newAuthority(t, "middle", from, to, &other)
	leafCA := authority{root.leaf(t, x509.Certificate{}), ecKey(t)}
	leafCA.cert.PublicKey = leafCA.key.Public()
	critical := pkix.Extension{Id: asn1.ObjectIdentifier{1, 2, 3}, Critical: true, Value: []byte{5, 0}}
	for _, test := range []struct {
		name   string
		cert   *x509.Certificate
		others []*x509.Certificate
		status ca.CheckStatus
		said   string
	}{
		{"direct", root.leaf(t, x509.Certificate{}), nil, ca.CheckOK, "signed by CN=root"},
		{"itself", root.cert, nil, ca.CheckOK, "that CA itself"},
		{"intermediate", middle.leaf(t, x509.Certificate{}), []*x509.Certificate{middle.cert}, ca.CheckOK, "signed by CN=middle, which is signed by CN=root"},
		{"missing intermediate", middle.leaf(t, x509.Certificate{}), nil, ca.CheckFailed, "CN=leaf is signed by CN=middle"},
		{"foreign intermediate", foreign.leaf(t, x509.Certificate{}), []*x509.Certificate{foreign.cert}, ca.CheckFailed, "CN=middle is signed by CN=other"},
		{"expired intermediate", expiredMiddle.leaf(t, x509.Certificate{}), []*x509.Certificate{expiredMiddle.cert}, ca.CheckFailed, "has expired"},
		{"namesake", namesake.leaf(t, x509.Certificate{}), nil, ca.CheckFailed, "an issuer of that name, but another key"},
		{"other", other.leaf(t, x509.Certificate{}), nil, ca.CheckFailed, "CN=leaf is signed by CN=other"},
		{"other root", other.cert, nil, ca.CheckFailed, "it names itself as its issuer"},
		{"leaf as issuer", leafCA.leaf(t, x509.Certificate{Subject: pkix.Name{CommonName: "below"}}), []*x509.Certificate{leafCA.cert}, ca.CheckFailed, "cannot sign this kind of certificate"},
		{"expired", root.leaf(t, x509.Certificate{NotBefore: from, NotAfter: now.Add(-time.Hour)}), nil, ca.CheckOK, "signed by CN=root"},
		{"not yet", root.leaf(t, x509.Certificate{NotBefore: now.Add(time.Hour), NotAfter: to}), nil, ca.CheckOK, "signed by CN=root"},
		{"critical extension", root.leaf(t, x509.Certificate{ExtraExtensions: []pkix.Extension{critical}}), nil, ca.CheckFailed, "unhandled critical extension"},
		{"any usage", root.leaf(t, x509.Certificate{ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageCodeSigning}}), nil, ca.CheckOK, "signed by"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			roots := ca.Roots{Name: "here", Certificates: []*x509.Certificate{root.cert}}
			chain, check := roots.Check(test.cert, test.others, now)
			wantCheck(t, check, test.status, test.said)
			if (check.Status == ca.CheckOK) == (chain == nil) {
				t.Errorf("%s with a chain of %d", check.Status, len(chain))
			}
			if !strings.Contains(check.Wanted, "CN=root in here") {
				t.Errorf("wanted %q", check.Wanted)
			}
		})
	}
}

func TestCheckTime(t *testing.T) {
	t.Parallel()
	hour := time.Hour
	root := newAuthority(t, "root", now.Add(-10*hour), now.Add(10*hour), nil)
	for _, test := range []struct {
		name     string
		from, to time.Duration
		at       time.Duration
		issuer   *x509.Certificate
		status   ca.CheckStatus
		said     string
	}{
		{"valid", -hour, hour, 0, root.cert, ca.CheckOK, "valid until"},
		{"first second", -hour, hour, -hour, root.cert, ca.CheckOK, "valid until"},
		{"last second", -hour, hour, hour, root.cert, ca.CheckOK, "valid until"},
		{"expired", -hour, hour, hour + time.Second, root.cert, ca.CheckFailed, "expired on"},
		{"not yet", -hour, hour, -hour - time.Second, root.cert, ca.CheckFailed, "not yet valid"},
		{"ends with its CA", -hour, 10 * hour, 0, root.cert, ca.CheckOK, "valid until"},
		{"ends after its CA", -hour, 11 * hour, 0, root.cert, ca.CheckFailed, "after its CA"},
		{"CA expired", -hour, 11 * hour, 10*hour + time.Second, root.cert, ca.CheckFailed, "its CA expired"},
		{"CA not yet", -11 * hour, hour, -11 * hour, root.cert, ca.CheckFailed, "its CA is not yet valid"},
		{"no issuer", -hour, 11 * hour, 0, nil, ca.CheckOK, "valid until"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			cert := root.leaf(t, x509.Certificate{NotBefore: now.Add(test.from), NotAfter: now.Add(test.to)})
			wantCheck(t, ca.CheckTime(cert, test.issuer, now.Add(test.at)), test.status, test.said)
		})
	}
}

func TestCheckUsage(t *testing.T) {
	t.Parallel()
	root := newAuthority(t, "root", time.Time{}, time.Time{}, nil)
	client, server := []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}, []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	dns := []string{"a.example.com"}
	for _, test := range []struct {
		name    string
		cert    x509.Certificate
		purpose ca.Purpose
		status  ca.CheckStatus
		said    string
	}{
		{"client", x509.Certificate{ExtKeyUsage: client}, ca.PurposeClient, ca.CheckOK, "client auth"},
		{"client by itself", x509.Certificate{ExtKeyUsage: client}, "", ca.CheckOK, "client auth"},
		{"client for any", x509.Certificate{ExtKeyUsage: client}, ca.PurposeAny, ca.CheckOK, "client auth"},
		{"client as server", x509.Certificate{ExtKeyUsage: client, DNSNames: dns}, ca.PurposeServer, ca.CheckFailed, "client auth"},
		{"server", x509.Certificate{ExtKeyUsage: server, DNSNames: dns}, ca.PurposeServer, ca.CheckOK, "server auth for a.example.com"},
		{"server by itself", x509.Certificate{ExtKeyUsage: server}, "", ca.CheckFailed, "no DNS name or IP address"},
		{"server for any", x509.Certificate{ExtKeyUsage: server}, ca.PurposeAny, ca.CheckOK, "server auth"},
		{"server as client", x509.Certificate{ExtKeyUsage: server, DNSNames: dns}, ca.PurposeClient, ca.CheckFailed, "server auth"},
		{"server without names", x509.Certificate{ExtKeyUsage: server, EmailAddresses: []string{"a@b.c"}}, ca.PurposeServer, ca.CheckFailed, "no DNS name or IP address"},
		{"none as client", x509.Certificate{}, ca.PurposeClient, ca.CheckOK, "no extended usages, which allows all"},
		{"none as server", x509.Certificate{}, ca.PurposeServer, ca.CheckFailed, "no DNS name or IP address"},
		{"any as client", x509.Certificate{ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}}, ca.PurposeClient, ca.CheckOK, "any"},
		{"unknown as client", x509.Certificate{UnknownExtKeyUsage: []asn1.ObjectIdentifier{{1, 2, 3}}}, ca.PurposeClient, ca.CheckFailed, "1.2.3"},
		{"cannot sign", x509.Certificate{ExtKeyUsage: client, KeyUsage: x509.KeyUsageKeyEncipherment}, ca.PurposeClient, ca.CheckFailed, "without digital signature"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			check := ca.CheckUsage(root.leaf(t, test.cert), test.purpose)
			wantCheck(t, check, test.status, test.said)
		})
	}
	wantCheck(t, ca.CheckUsage(root.cert, ""), ca.CheckSkipped, "a CA's certificate")
}

func TestCheckHost(t *testing.T) {
	t.Parallel()
	root := newAuthority(t, "root", time.Time{}, time.Time{}, nil)
	cert := root.leaf(t, x509.Certificate{
		Subject:     pkix.Name{CommonName: "cn.example.com"},
		DNSNames:    []string{"a.example.com", "*.apps.example.com"},
		IPAddresses: []net.IP{net.ParseIP("10.0.0.10"), net.ParseIP("fd00::10")},
	})
	for host, found := range map[string]string{
		"a.example.com":        "",
		"A.Example.COM":        "",
		"x.apps.example.com":   "",
		"10.0.0.10":            "",
		"fd00::10":             "",
		"[fd00:0::0:10]":       "",
		"x.y.apps.example.com": "a certificate for a.example.com, *.apps.example.com, 10.0.0.10, fd00::10",
		"apps.example.com":     "a certificate for",
		"10.0.0.11":            "a certificate for",
		"fd00::11":             "a certificate for",
		"cn.example.com":       "only the common name is the same",
		"CN.example.com":       "only the common name is the same",
	} {
		status := ca.CheckOK
		if found != "" {
			status = ca.CheckFailed
		}
		wantCheck(t, ca.CheckHost(cert, host), status, found)
	}
	wantCheck(t, ca.CheckHost(root.leaf(t, x509.Certificate{}), "a"), ca.CheckFailed, "no alternative names")
}

func TestVerify(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	dir := newCA(t, ca.ECDSAP256)
	result := issue(t, ca.IssueOptions{Dir: dir, CommonName: "etcd", Profile: ca.ProfilePeer, DNS: []string{"etcd.local"}})
	key := must(ca.ReadKey(result.KeyPath, nil))
	o := ca.VerifyOptions{
		Dir: dir, Name: "etcd.crt", Certificates: []*x509.Certificate{result.Certificate},
		Key: key.Public(), KeyName: "etcd.key", Host: "etcd.local", Now: now,
	}
	must(ca.SignCRL(ctx, ca.CRLOptions{Dir: dir, Now: now}))
	v := must(ca.Verify(ctx, o))
	if !v.OK || len(v.Checks) != 7 || v.Subject != "CN=etcd" || v.Serial != ca.FormatSerial(result.Certificate.SerialNumber) {
		t.Errorf("got %+v", v)
	}
	for _, check := range v.Checks {
		wantCheck(t, check, ca.CheckOK, "")
	}
	o.Key, o.Host = ecKey(t).Public(), "other.local"
	v = must(ca.Verify(ctx, o))
	wantCheck(t, find(t, v, "key"), ca.CheckFailed, "another ecdsa-p256 key in etcd.key")
	wantCheck(t, find(t, v, "host"), ca.CheckFailed, "a certificate for etcd.local")
	if v.OK {
		t.Error("OK with failed checks")
	}
	o.Key, o.NoKey, o.Host = nil, "there is none", ""
	v = must(ca.Verify(ctx, o))
	wantCheck(t, find(t, v, "key"), ca.CheckSkipped, "there is none")
	wantCheck(t, find(t, v, "host"), ca.CheckSkipped, "no host was given")
	if !v.OK {
		t.Error("not OK, but no check failed")
	}
	o.Dir = filepath.Join(dir, "none")
	if _, err := ca.Verify(ctx, o); failure.KindOf(err) != failure.Failed || !strings.Contains(err.Error(), "there is no CA in") {
		t.Errorf("without a CA: %v", err)
	}
}

func TestVerifyInventory(t *testing.T) {
	t.Parallel()
	dir := newCA(t, ca.ECDSAP256)
	rootKey := must(ca.ReadKey(ca.KeyPath(dir), nil))
	root := authority{must(ca.ReadCertificate(ca.CertPath(dir))), rootKey}
	inventory := func(cert *x509.Certificate) ca.Check {
		t.Helper()
		v := must(ca.Verify(context.Background(), ca.VerifyOptions{Dir: dir, Certificates: []*x509.Certificate{cert}, Now: now}))
		return find(t, v, "inventory")
	}
	issued := issue(t, ca.IssueOptions{Dir: dir, CommonName: "jane"}).Certificate
	wantCheck(t, inventory(issued), ca.CheckOK, "recorded on "+now.Format(time.DateTime))
	wantCheck(t, inventory(root.cert), ca.CheckOK, "recorded on")

	// Another certificate with the serial of one that is recorded.
	wantCheck(t, inventory(root.leaf(t, x509.Certificate{SerialNumber: issued.SerialNumber})), ca.CheckFailed, "recorded for another certificate, of jane")
	wantCheck(t, inventory(root.leaf(t, x509.Certificate{SerialNumber: big.NewInt(99)})), ca.CheckFailed, "not recorded")

	other := newAuthority(t, "other", time.Time{}, time.Time{}, nil)
	wantCheck(t, inventory(other.leaf(t, x509.Certificate{SerialNumber: issued.SerialNumber})), ca.CheckSkipped, "did not issue it itself")

	reserve(t, dir, 100)
	wantCheck(t, inventory(root.leaf(t, x509.Certificate{SerialNumber: big.NewInt(100)})), ca.CheckFailed, "incomplete")

	change(t, dir, "UPDATE certificates SET status = 'revoked' WHERE common_name = 'jane'")
	wantCheck(t, inventory(issued), ca.CheckFailed, "revoked")

	// A CA that something else made has issued before there was an inventory.
	change(t, dir, "DELETE FROM certificates WHERE common_name = '"+ca.DefaultCommonName+"'")
	wantCheck(t, inventory(root.leaf(t, x509.Certificate{SerialNumber: big.NewInt(99)})), ca.CheckSkipped, "the CA itself is in no inventory")
	if err := os.Remove(filepath.Join(dir, "inventory.db")); err != nil {
		t.Fatal(err)
	}
	wantCheck(t, inventory(issued), ca.CheckSkipped, "the CA itself is in no inventory")
}

// reserve takes a serial, as a command does that is killed before it signs.
func reserve(t *testing.T, dir string, serial int64) {
	t.Helper()
	lock := must(store.Lock(context.Background(), dir, nil))
	defer lock.Unlock()
	inv := must(lock.Inventory())
	defer inv.Close()
	record := certdb.CertificateRecord{Serial: big.NewInt(serial).String(), AKI: "00", NotBefore: &now, SANsJSON: []byte("[]")}
	if err := inv.Reserve(now, record); err != nil {
		t.Fatal(err)
	}
}

// change runs SQL on the inventory.
func change(t *testing.T, dir, statement string) {
	t.Helper()
	if n := execute(t, dir, statement); n != 1 {
		t.Fatalf("%s changed %d rows", statement, n)
	}
}

// execute runs SQL on an inventory and returns how many rows it changed.
func execute(t *testing.T, dir, statement string) int64 {
	t.Helper()
	db := must(sql.Open("sqlite", filepath.Join(dir, "inventory.db")))
	result, err := db.Exec(statement)
	if err = errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
	return must(result.RowsAffected())
}

func TestParsePurpose(t *testing.T) {
	t.Parallel()
	for _, name := range append(ca.Purposes(), "") {
		if purpose, err := ca.ParsePurpose(name); err != nil || string(purpose) != name {
			t.Errorf("%q gives %q, %v", name, purpose, err)
		}
	}
	if _, err := ca.ParsePurpose("clients"); failure.KindOf(err) != failure.Usage || failure.HintOf(err) == "" {
		t.Errorf("got %v", err)
	}
}
