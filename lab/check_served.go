package lab

import (
	"bytes"
	"context"
	"crypto/x509"
	"fmt"
	"net"
	"net/url"
	"path"
	"time"

	"github.com/pkictl/pkictl/ca"
	"github.com/pkictl/pkictl/internal/kubeclient"
)

// readServedCheck reads the parameters of a check of the certificate that the API
// server of the lab's cluster presents:
//
//	file   the file that it is to be the first certificate of
//	lasts  how long it is valid from now on at least, as in 300d
func readServedCheck(p *params) (grader, error) {
	var file string
	var lasts time.Duration
	if err := p.fields(p.file("file", &file), p.lasts(&lasts)); err != nil {
		return nil, err
	}
	return func(ctx context.Context, w *work) finding {
		f := finding{wanted: fmt.Sprintf("the API server presents the certificate in %s, valid for %d days more", file, int(lasts.Hours()/24))}
		f.found = w.served(ctx, file, lasts)
		if f.passed = f.found == ""; f.passed {
			f.found = "as wanted"
		}
		return f
	}, p.someOf(int(min(lasts, 1)), file)
}

// servedPatience bounds how long a server may take to read a new file: kube-apiserver
// watches the one that it serves (pkg/server/dynamiccertificates).
const servedPatience = 1500 * time.Millisecond

// served says what the API server presents in place of what is wanted, empty if it is
// that.
func (w *work) served(ctx context.Context, file string, lasts time.Duration) string {
	item, found := w.pem(file, ca.ItemCertificate, "certificate")
	if found != "" {
		return found
	}
	cert := item.Certificate.X509
	client, found := w.cluster(ctx)
	if found != "" {
		return found
	}
	at, err := url.Parse(client.Server())
	if err != nil {
		return err.Error()
	}
	endpoint := kubeclient.Endpoint{Address: net.JoinHostPort(at.Hostname(), at.Port()), Host: at.Hostname()}
	ctx, cancel := context.WithTimeout(ctx, servedPatience)
	defer cancel()
	for {
		presented, err := kubeclient.Served(ctx, endpoint, servedPatience)
		if err == nil && len(presented) > 0 && bytes.Equal(presented[0].Raw, cert.Raw) {
			return w.servedFault(presented[0], lasts)
		}
		if wait(ctx) == nil {
			continue
		}
		if err != nil {
			return "the API server does not answer: " + err.Error()
		}
		if len(presented) == 0 {
			return "the API server presents no certificate"
		}
		return fmt.Sprintf("it presents another one than that in %s: it ends at %s", path.Base(file), presented[0].NotAfter.UTC().Format(time.DateTime))
	}
}

func (w *work) servedFault(cert *x509.Certificate, lasts time.Duration) string {
	if w.now.Before(cert.NotBefore) || cert.NotAfter.Before(w.now.Add(lasts)) {
		return fmt.Sprintf("it presents one that is valid from %s to %s", cert.NotBefore.UTC().Format(time.DateTime), cert.NotAfter.UTC().Format(time.DateTime))
	}
	return ""
}
