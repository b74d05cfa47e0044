package ca_test

import (
	"bytes"
	"context"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"github.com/pkictl/pkictl/ca"
)

// metrics reads what Metrics writes, with the parser of node_exporter, as LABEL
// by name and value.
func metrics(t *testing.T, dir string, at time.Time) map[string]*dto.MetricFamily {
	t.Helper()
	parser := expfmt.NewTextParser(model.LegacyValidation)
	return must(parser.TextToMetricFamilies(bytes.NewReader(must(ca.Metrics(context.Background(), dir, at)))))
}

// valueOf returns the value of the one sample that has these labels.
func valueOf(t *testing.T, families map[string]*dto.MetricFamily, name string, labels ...string) (float64, bool) {
	t.Helper()
	value, found := 0.0, 0
	for _, metric := range families[name].GetMetric() {
		has := map[string]string{}
		for _, label := range metric.Label {
			has[label.GetName()] = label.GetValue()
		}
		matches := true
		for i := 0; i < len(labels); i += 2 {
			matches = matches && has[labels[i]] == labels[i+1]
		}
		if matches {
			value = metric.GetGauge().GetValue()
			found++
		}
	}
	if found > 1 {
		t.Errorf("%s %q: %d samples", name, labels, found)
	}
	return value, found == 1
}

func TestMetrics(t *testing.T) {
	t.Parallel()
	dir := newCA(t, ca.ECDSAP256)
	root := must(ca.ReadCertificate(ca.CertPath(dir)))
	odd := `a"b\c{}`
	for _, name := range []string{"short", odd, "revoked", "again", "again"} {
		issue(t, ca.IssueOptions{Dir: dir, CommonName: name, Validity: "1h", Out: filepath.Join(dir, fmt.Sprintf("%x", name)), Force: true})
	}
	must(ca.Revoke(context.Background(), ca.RevokeOptions{Dir: dir, Name: "revoked", Now: now}))
	must(ca.SignCRL(context.Background(), ca.CRLOptions{Dir: dir, NextUpdate: "2d", Now: now}))
	// What another tool wrote: a name that is no UTF-8, and the serial of another issuer's.
	change(t, dir, `INSERT INTO certificates SELECT serial_number, 'ab', ca_label, status, reason, expiry, revoked_at, pem, issued_at,
		not_before, NULL, sans, CAST(x'61ff' AS text) FROM certificates WHERE common_name = 'short'`)

	end := float64(now.Add(time.Hour).Unix())
	check := func(at time.Time, want map[string]float64) {
		t.Helper()
		families := metrics(t, dir, at)
		for name, family := range families {
			if family.GetHelp() == "" || family.GetType() != dto.MetricType_GAUGE {
				t.Errorf("%s: %v, %q", name, family.GetType(), family.GetHelp())
			}
		}
		for _, name := range []string{"short", odd, "revoked", "again", "a\uFFFD"} {
			got, found := valueOf(t, families, "pkictl_certificate_not_after_seconds", "cn", name)
			if value, wanted := want[name]; found != wanted || got != value {
				t.Errorf("%v: %s: %v, %v; want %v", at, name, got, found, value)
			}
		}
		for name, value := range map[string]float64{
			"pkictl_ca_not_after_seconds":     float64(root.NotAfter.Unix()),
			"pkictl_certificates_left_out":    0,
			"pkictl_certificates_revoked":     1,
			"pkictl_crl_this_update_seconds":  float64(now.Unix()),
			"pkictl_crl_next_update_seconds":  float64(now.Add(2 * ca.Day).Unix()),
			"pkictl_crl_entries":              1,
			"pkictl_textfile_written_seconds": float64(at.Unix()),
		} {
			if got, found := valueOf(t, families, name); !found || got != value {
				t.Errorf("%v: %s is %v, %v; want %v", at, name, got, found, value)
			}
		}
	}
	inForce := map[string]float64{"short": end, odd: end, "again": end, "a\uFFFD": end}
	check(now, inForce)
	check(now.Add(29*ca.Day), inForce) // the alert goes on
	check(now.Add(31*ca.Day), nil)
}

// TestMetricsBounded: Prometheus keeps every series in memory.
func TestMetricsBounded(t *testing.T) {
	t.Parallel()
	dir := newCA(t, ca.ECDSAP256)
	issue(t, ca.IssueOptions{Dir: dir, CommonName: "jane"})
	copies(t, dir, "jane", 10_001)
	families := metrics(t, dir, now)
	if n := len(families["pkictl_certificate_not_after_seconds"].GetMetric()); n != 10_000 {
		t.Errorf("%d series", n)
	}
	if got, _ := valueOf(t, families, "pkictl_certificates_left_out"); got != 1 {
		t.Error("it does not say that some were left out")
	}
}

// copies adds rows like that of a name, with other serials and names.
func copies(t *testing.T, dir, name string, n int) {
	t.Helper()
	execute(t, dir, fmt.Sprintf(`WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d)
		INSERT INTO certificates
		SELECT serial_number || i, authority_key_identifier, ca_label, status, reason, expiry, revoked_at, pem, issued_at, not_before,
			json_set(metadata, '$.name', json_extract(metadata, '$.name') || i, '$.out', json_extract(metadata, '$.out') || i),
			sans, common_name || i
		FROM certificates, n WHERE common_name = '%s'`, n, name))
}
