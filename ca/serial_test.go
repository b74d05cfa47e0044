package ca_test

import (
	"crypto/x509"
	"strings"
	"testing"

	"github.com/pkictl/pkictl/ca"
	"github.com/pkictl/pkictl/internal/failure"
)

func TestParseSerials(t *testing.T) {
	t.Parallel()
	const (
		printed = "7FA0123456789ABCDEF0123456789ABCDEF01234"
		decimal = "728611532957162192568991086498834121335627584052" // the same
	)
	for text, want := range map[string]string{
		printed: printed, strings.ToLower(printed): printed, "0x" + printed: printed, "0X" + strings.ToLower(printed): printed,
		"7f:A0:12": "7FA012", "00": "00", "0102": "0102", "102": "0102", "0x1": "01", decimal: printed,
		"decade": "DECADE", // or a name
		"jane":   "", "": "", "a-b": "", "12 34": "", "fe80::zz": "",
		strings.Repeat("f", 42): strings.Repeat("F", 42), strings.Repeat("f", 43): "",
	} {
		serials, certain, err := ca.ParseSerials(text)
		var got []string
		for _, serial := range serials {
			got = append(got, ca.FormatSerial(serial))
		}
		if err != nil || strings.Join(got, " ") != want || certain != (strings.HasPrefix(strings.ToLower(text), "0x") || text == "7f:A0:12") {
			t.Errorf("%q: %q, %v, %v; want %q", text, got, certain, err, want)
		}
	}
	for _, text := range []string{"0x", "0xg", "0x" + strings.Repeat("f", 43), "1:02", "01:2", "01:02:", ":01", "01::02", "001:02"} {
		if serials, _, err := ca.ParseSerials(text); failure.KindOf(err) != failure.Usage || serials != nil {
			t.Errorf("%q: %v, %v", text, serials, err)
		}
	}
}

func FuzzParseSerials(f *testing.F) {
	for _, seed := range []string{"0102", "0xfF", "AA:bb", "decade", "728611532957162192568991086498834121335627584052", ":", "0x", "-1", "ſ"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		serials, certain, err := ca.ParseSerials(text)
		if err != nil && (len(serials) > 0 || !certain) {
			t.Fatalf("%q: %v, %v, %v", text, serials, certain, err)
		}
		for _, serial := range serials {
			if serial.Sign() < 0 || serial.BitLen() > 8*22 {
				t.Errorf("%q is %v", text, serial)
			}
			// What is printed is read again.
			again, _, err := ca.ParseSerials(ca.FormatSerial(serial))
			if err == nil && serial.BitLen() <= 8*21 && (len(again) == 0 || again[0].Cmp(serial) != 0) {
				t.Errorf("%q: %v is printed as %s, and read as %v", text, serial, ca.FormatSerial(serial), again)
			}
		}
	})
}

// FuzzParseCRL: whatever the bytes, there is a list or an error, and a check
// against the list ends.
func FuzzParseCRL(f *testing.F) {
	var issuer *x509.Certificate
	for _, seed := range decodeSeeds(f) {
		f.Add(seed)
		items, _ := ca.Decode(seed, "seed") // some are broken
		if certs := ca.Certificates(items); len(certs) > 0 {
			issuer = certs[0]
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		list, err := ca.ParseCRL(data, "file")
		if (err == nil) == (list == nil) {
			t.Fatalf("%v, %v", list, err)
		}
		if err != nil {
			if failure.HintOf(err) == "" || strings.Contains(err.Error(), "\n") {
				t.Errorf("error %q, hint %q", err, failure.HintOf(err))
			}
			return
		}
		if check := ca.CheckRevocation(issuer, issuer, list, now); check.Status != ca.CheckFailed && check.Status != ca.CheckOK {
			t.Errorf("%+v", check)
		}
	})
}
