package cluster

import (
	"time"

	"github.com/pkictl/pkictl/ca"
	"github.com/pkictl/pkictl/internal/store"
)

// Metrics returns what a monitoring system wants to know of a check: when each
// certificate on disk and each that a component shows ends, how much was found,
// and when. The form is Prometheus' text format; times are in seconds since 1970.
func (r *CheckReport) Metrics() ([]byte, error) {
	var ends, served, found []ca.Sample
	for _, n := range r.Nodes {
		for _, e := range n.Entries {
			if e.NotAfter != nil {
				ends = append(ends, ca.Sample{Value: seconds(*e.NotAfter), Labels: []string{
					"ca", e.found.Entry.CA, "cn", e.CommonName, "name", e.Name, "node", n.Node, "serial", e.Serial,
				}})
			}
		}
		for _, s := range n.Servers {
			if s.NotAfter != nil {
				served = append(served, ca.Sample{Value: seconds(*s.NotAfter), Labels: []string{
					"address", s.Address, "component", s.Component, "node", n.Node, "serial", s.Serial,
				}})
			}
		}
	}
	count := map[Field]int{}
	for _, f := range r.Findings {
		if f.Level == LevelFail {
			count[f.Field]++
		}
	}
	for _, check := range Checks() { // those that found nothing too, so that an alert ends
		found = append(found, ca.Sample{Value: float64(count[check]), Labels: []string{"check", string(check)}})
	}
	// The names are others than those of ca.Metrics: node_exporter takes no series
	// from two files.
	return ca.EncodeMetrics(
		ca.Gauge("pkictl_cluster_certificate_not_after_seconds", "When a certificate of the control plane ends, as it stands on disk.", ends...),
		ca.Gauge("pkictl_cluster_served_not_after_seconds", "When the certificate ends that a component shows.", served...),
		ca.Gauge("pkictl_cluster_findings", "How much the last check found, by what it looked at.", found...),
		ca.Gauge("pkictl_cluster_check_time_seconds", "When the last check was made.", ca.Sample{Value: seconds(r.Time)}),
	)
}

func seconds(t time.Time) float64 { return float64(t.Unix()) }

// WriteMetrics writes what Metrics returns to a file for the textfile collector
// of node_exporter, as ca.WriteMetrics does.
func (r *CheckReport) WriteMetrics(path string) error {
	if err := ca.CheckMetricsPath(path); err != nil {
		return err
	}
	data, err := r.Metrics()
	if err != nil {
		return err
	}
	return store.WriteFile(path, data, 0o644)
}
