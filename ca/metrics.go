package ca

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"

	"github.com/pkictl/pkictl/internal/failure"
	"github.com/pkictl/pkictl/internal/store"
)

// maxSeries is how many certificates get a series of their own in Metrics, the
// first to end first. Prometheus keeps each in memory.
const maxSeries = 10_000

// keepExpired is for how long a certificate that has ended keeps its series, so
// that an alert does not stop at the very moment it was for.
const keepExpired = 30 * Day

// Metrics returns what a monitoring system wants to know of the CA in dir: when
// it, the CAs above it, its certificates in force and its revocation list end.
// The form is Prometheus' text format; times are in seconds since 1970.
func Metrics(ctx context.Context, dir string, now time.Time) ([]byte, error) {
	authority, err := Open(dir)
	if err != nil {
		return nil, err
	}
	families := []*dto.MetricFamily{authority.caMetrics()}
	more, err := authority.certificateMetrics(ctx, now)
	if err != nil {
		return nil, err
	}
	families = append(families, more...)
	families = append(families, authority.crlMetrics()...)
	families = append(families, Gauge("pkictl_textfile_written_seconds", "When this file was written.", Sample{Value: seconds(now)}))
	return EncodeMetrics(families...)
}

// EncodeMetrics writes metrics in Prometheus' text format. Those without a value
// are left out.
func EncodeMetrics(families ...*dto.MetricFamily) ([]byte, error) {
	var b bytes.Buffer
	for _, family := range families {
		if len(family.Metric) == 0 {
			continue
		}
		if _, err := expfmt.MetricFamilyToText(&b, family); err != nil {
			return nil, err
		}
	}
	return b.Bytes(), nil
}

// Sample is one value, with pairs of label and value.
type Sample struct {
	Value  float64
	Labels []string
}

// Gauge returns a metric that goes up and down, for EncodeMetrics.
func Gauge(name, help string, samples ...Sample) *dto.MetricFamily {
	family := &dto.MetricFamily{Name: &name, Help: &help, Type: dto.MetricType_GAUGE.Enum()}
	for _, s := range samples {
		metric := &dto.Metric{Gauge: &dto.Gauge{Value: &s.Value}}
		for i := 0; i+1 < len(s.Labels); i += 2 {
			// The format is UTF-8, names in certificates need not be.
			value := strings.ToValidUTF8(s.Labels[i+1], "\uFFFD")
			metric.Label = append(metric.Label, &dto.LabelPair{Name: &s.Labels[i], Value: &value})
		}
		family.Metric = append(family.Metric, metric)
	}
	return family
}

func seconds(t time.Time) float64 { return float64(t.Unix()) }

func (c *CA) caMetrics() *dto.MetricFamily {
	var samples []Sample
	for i, cert := range c.Bundle() {
		samples = append(samples, Sample{seconds(cert.NotAfter), []string{
			"cn", cert.Subject.CommonName, "level", strconv.Itoa(i), "serial", FormatSerial(cert.SerialNumber),
		}})
	}
	return Gauge("pkictl_ca_not_after_seconds", "When the CA (level 0) and those above it end.", samples...)
}

// certificateMetrics are those of the inventory; a CA that something else made
// has none.
func (c *CA) certificateMetrics(ctx context.Context, now time.Time) ([]*dto.MetricFamily, error) {
	inv, err := store.OpenInventory(c.Dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer inv.Close()
	revoked, err := inv.CountRevoked(ctx, c.aki())
	if err != nil {
		return nil, err
	}
	filter := store.Filter{Status: store.StatusGood, EndsAfter: now.Add(-keepExpired), Limit: maxSeries + 1, NoCredentials: true}
	rows, err := inv.List(ctx, filter)
	if err != nil {
		return nil, err
	}
	samples, err := c.certificateSamples(rows, now)
	if err != nil {
		return nil, err
	}
	leftOut := 0.0
	if len(rows) > maxSeries {
		leftOut = 1
	}
	return []*dto.MetricFamily{
		Gauge("pkictl_certificate_not_after_seconds",
			"When a certificate ends that is neither revoked nor replaced; one that has ended stays for 30 days.", samples...),
		Gauge("pkictl_certificates_left_out",
			fmt.Sprintf("1 if there are more certificates than the first %d to end, which have a series.", maxSeries), Sample{Value: leftOut}),
		Gauge("pkictl_certificates_revoked", "How many certificates of the CA are revoked.", Sample{Value: float64(revoked)}),
	}, nil
}

func (c *CA) certificateSamples(rows []store.Row, now time.Time) ([]Sample, error) {
	var samples []Sample
	for _, row := range rows[:min(len(rows), maxSeries)] {
		entry, err := newEntry(row, c.Dir, now)
		if err != nil {
			return nil, err
		}
		// One that has ended may have been replaced before.
		isReplaced := entry.State == StateReplaced || entry.State == StateExpired && row.Superseded
		isCA := entry.serial == c.Certificate.SerialNumber.String()
		if isReplaced || isCA {
			continue
		}
		samples = append(samples, Sample{seconds(entry.NotAfter), []string{
			"cn", entry.CommonName, "issuer_id", entry.aki, "name", entry.Name, "profile", entry.Profile, "serial", entry.Serial,
		}})
	}
	return samples, nil
}

// crlMetrics are those of ca.crl, if it is there and the CA's own.
func (c *CA) crlMetrics() []*dto.MetricFamily {
	list, err := c.published(CRLPath(c.Dir))
	if err != nil || list == nil {
		return nil
	}
	families := []*dto.MetricFamily{
		Gauge("pkictl_crl_this_update_seconds", "When the revocation list was signed.", Sample{Value: seconds(list.List.ThisUpdate)}),
		Gauge("pkictl_crl_entries", "How many certificates are on the revocation list.", Sample{Value: float64(len(list.List.RevokedCertificateEntries))}),
	}
	if !list.List.NextUpdate.IsZero() {
		families = append(families, Gauge("pkictl_crl_next_update_seconds",
			"When the revocation list ends.", Sample{Value: seconds(list.List.NextUpdate)}))
	}
	return families
}

// metricsSuffix is that of the files which node_exporter's textfile collector
// reads; it passes over others, such as one that is being written.
const metricsSuffix = ".prom"

// WriteMetrics writes what Metrics returns to a file for the textfile collector
// of node_exporter, in one step and readable by everybody. A file that something
// else wrote is not replaced.
func WriteMetrics(ctx context.Context, dir, path string, now time.Time) error {
	if err := CheckMetricsPath(path); err != nil {
		return err
	}
	data, err := Metrics(ctx, dir, now)
	if err != nil {
		return err
	}
	return store.WriteFile(path, data, 0o644)
}

// CheckMetricsPath returns the error that WriteMetrics would return because of
// the name of the file, or of what is there.
func CheckMetricsPath(path string) error {
	if !strings.HasSuffix(path, metricsSuffix) {
		return failure.New(failure.Usage, "node_exporter reads files that end in "+metricsSuffix+", as in --prometheus pkictl.prom",
			"%q does not end in %s", path, metricsSuffix)
	}
	if info, err := os.Lstat(path); err != nil || !info.Mode().IsRegular() {
		return nil // there is none, or writing says what is wrong
	}
	f, err := os.Open(path)
	if err != nil {
		return nil
	}
	defer f.Close()
	start := make([]byte, len(metricsStart))
	if n, _ := f.Read(start); n > 0 && string(start[:n]) != metricsStart {
		return failure.New(failure.Failed, "choose another file", "%q was not written by pkictl, and is not replaced", path)
	}
	return nil
}

// metricsStart is what every file begins with.
const metricsStart = "# HELP pkictl_"
