package lab_test

import (
	"testing"
	"time"

	"github.com/pkictl/pkictl/lab"
)

// TestNginxOrNot: without nginx on the machine all trials of the lab end as with it.
func TestNginxOrNot(t *testing.T) {
	t.Parallel()
	l, err := lab.Named("tls-and-csp")
	if err != nil {
		t.Fatal(err)
	}
	m, err := machine()
	if err != nil {
		t.Fatal(err)
	}
	if m.Nginx == "" {
		t.Fatal("there is no nginx; on Debian: apt-get install nginx-light")
	}
	without := *m
	without.Nginx = ""
	for _, trial := range l.Trials() {
		t.Run(trial.Name, func(t *testing.T) {
			t.Parallel()
			findings, err := trial.Run(t.Context(), lab.TrialOptions{Machine: &without, Path: scriptPath(t), Now: time.Now})
			if err != nil {
				t.Fatal(err)
			}
			wantNone(t, findings)
		})
	}
}
