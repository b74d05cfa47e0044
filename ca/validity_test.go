package ca_test

import (
	"math"
	"math/big"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/pkictl/pkictl/ca"
	"github.com/pkictl/pkictl/internal/failure"
)

func TestParseValidity(t *testing.T) {
	t.Parallel()
	good := map[string]time.Duration{
		"90d": 90 * ca.Day, "8h": 8 * time.Hour, "1y": 365 * ca.Day, "2w": 14 * ca.Day, "30m": 30 * time.Minute, "1s": time.Second,
		"1h30m": 90 * time.Minute, "1d12h": 36 * time.Hour, "0y1s": time.Second, "007d": 7 * ca.Day,
		"292y":         292 * ca.Year,
		"9223372036s":  9223372036 * time.Second,
		"2400h0m0s":    2400 * time.Hour, // as Go prints it
		"1s1s1s1s1s1s": 6 * time.Second,
	}
	for text, want := range good {
		if got, err := ca.ParseValidity(text); err != nil || got != want {
			t.Errorf("%q: %v (%v), want %v", text, got, err, want)
		}
	}
	bad := map[string]string{
		"": "empty", "0": "not a number with a unit", "0d": "zero", "0y0s": "zero", "-1d": "negative", "-0d": "negative", "-": "negative",
		"90": "not a number", "d": "not a number", "90D": "unknown unit", "90days": "not a number", "1.5h": "unknown unit", "1e3s": "unknown unit",
		" 90d": "not a number", "90d ": "not a number", "90 d": "unknown unit", "+1d": "not a number", "1d-1h": "not a number", "0x10d": "unknown unit",
		"١d": "not a number", "1µs": "unknown unit", "1d\x00": "not a number", "1M": "unknown unit", "1d,1h": "not a number",
		"293y": "too long", "9223372037s": "too long", "99999999999999999999d": "too long", "292y292y": "too long",
		strings.Repeat("9", 1000) + "s": "too long",
	}
	for text, want := range bad {
		got, err := ca.ParseValidity(text)
		wantUsage(t, text, err, want)
		if got != 0 {
			t.Errorf("%q: error and %v", text, got)
		}
	}
}

// wantUsage checks that an error is one line of wrong usage that says so, with
// a hint.
func wantUsage(t *testing.T, input string, err error, says string) {
	t.Helper()
	switch {
	case err == nil:
		t.Errorf("%q: no error", input)
	case failure.KindOf(err) != failure.Usage || failure.HintOf(err) == "":
		t.Errorf("%q: %v has kind %d, hint %q", input, err, failure.KindOf(err), failure.HintOf(err))
	case !strings.Contains(err.Error(), says):
		t.Errorf("%q: %v, want %q", input, err, says)
	case strings.ContainsAny(err.Error()+failure.HintOf(err), "\n\r\x00\x1b"):
		t.Errorf("%q: the error is not printable: %q", input, err)
	}
}

func FuzzParseValidity(f *testing.F) {
	for _, seed := range []string{"90d", "1h30m", "0s", "-1d", "9223372036s", "106751d23h47m16s", "106751d23h47m17s", "1y2w3d4h5m6s", "9999999999999999999y"} {
		f.Add(seed)
	}
	whole := regexp.MustCompile(`^([0-9]+[ywdhms])+$`)
	part := regexp.MustCompile(`([0-9]+)([ywdhms])`)
	seconds := map[string]int64{"y": 31536000, "w": 604800, "d": 86400, "h": 3600, "m": 60, "s": 1}
	f.Fuzz(func(t *testing.T, text string) {
		got, err := ca.ParseValidity(text)
		// The same again, without a limit.
		total := new(big.Int)
		if whole.MatchString(text) {
			for _, match := range part.FindAllStringSubmatch(text, -1) {
				n, _ := new(big.Int).SetString(match[1], 10)
				total.Add(total, n.Mul(n, big.NewInt(seconds[match[2]])))
			}
		}
		total.Mul(total, big.NewInt(int64(time.Second)))
		if total.Sign() > 0 && total.Cmp(big.NewInt(math.MaxInt64)) <= 0 {
			if err != nil || int64(got) != total.Int64() {
				t.Fatalf("%q: %v (%v), want %v ns", text, got, err, total)
			}
			return
		}
		wantUsage(t, text, err, "")
	})
}
