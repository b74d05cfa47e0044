package ca

import (
	"math"
	"strconv"
	"time"

	"github.com/pkictl/pkictl/internal/failure"
)

// Day is 24 hours, Year 365 days, as in the validity of openssl and kubeadm.
const (
	Day  = 24 * time.Hour
	Year = 365 * Day
)

// units of a validity, by their letter.
var units = map[byte]time.Duration{
	'y': Year, 'w': 7 * Day, 'd': Day, 'h': time.Hour, 'm': time.Minute, 's': time.Second,
}

// ParseValidity reads a length of time as people write it: 90d, 8h, 1y,
// 1h30m. Units are y (365 days), w, d, h, m (minutes) and s. Zero, negative
// and fractional lengths are errors.
func ParseValidity(text string) (time.Duration, error) {
	bad := func(why string) (time.Duration, error) {
		return 0, failure.New(failure.Usage, "write it like 90d, 8h or 1y (y w d h m s; m is minutes)",
			"validity %q %s", text, why)
	}
	if text == "" {
		return bad("is empty")
	}
	if text[0] == '-' {
		return bad("is negative")
	}
	var total time.Duration
	for rest := text; rest != ""; {
		digits := 0
		for digits < len(rest) && rest[digits] >= '0' && rest[digits] <= '9' {
			digits++
		}
		if digits == 0 || digits == len(rest) {
			return bad("is not a number with a unit")
		}
		unit, known := units[rest[digits]]
		if !known {
			return bad("has an unknown unit")
		}
		n, err := strconv.ParseInt(rest[:digits], 10, 64)
		if err != nil || n > int64((math.MaxInt64-total)/unit) {
			return bad("is too long")
		}
		total += time.Duration(n) * unit
		rest = rest[digits+1:]
	}
	if total == 0 {
		return bad("is zero")
	}
	return total, nil
}

// FormatValidity writes a length of time as ParseValidity reads it, in the
// largest of d, h, m and s that has at least two of them, rounded down.
func FormatValidity(d time.Duration) string {
	for _, unit := range []byte{'d', 'h', 'm'} {
		if n := d / units[unit]; n >= 2 {
			return strconv.FormatInt(int64(n), 10) + string(unit)
		}
	}
	return strconv.FormatInt(int64(d/time.Second), 10) + "s"
}

// FormatLeft says how long it is until a time: 89d, 7h, 3d ago.
func FormatLeft(d time.Duration) string {
	if d < 0 {
		return FormatValidity(-d) + " ago"
	}
	return FormatValidity(d)
}

// FormatTime shows a time to the second.
func FormatTime(t time.Time) string { return t.UTC().Format(time.DateTime) + " UTC" }

// FormatEnd shows an end with what is left.
func FormatEnd(end, now time.Time) string {
	d := end.Sub(now)
	shown := FormatTime(end)
	if d < 0 {
		return shown + " (expired " + FormatLeft(d) + ")"
	}
	return shown + " (in " + FormatLeft(d) + ")"
}
