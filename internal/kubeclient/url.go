package kubeclient

import (
	"errors"
	"net"
	"net/url"
	"strconv"
	"strings"
)

// ShowURL shows of the URL of a server or proxy what is no secret: scheme, host
// and path. User names, passwords and queries may be one. It is for all that is
// printed.
func ShowURL(text string) string {
	if text == "" {
		return ""
	}
	u, err := url.Parse(text)
	if err != nil || u.Host == "" {
		return showAddress(text)
	}
	return (&url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}).String()
}

// showAddress shows a HOST:PORT without a scheme, which client-go takes as well.
func showAddress(text string) string {
	host, port, err := net.SplitHostPort(text)
	if _, portErr := strconv.ParseUint(port, 10, 16); err != nil || portErr != nil || strings.ContainsAny(host, "@/?#") {
		return "(not a URL)"
	}
	return text
}

// ParseProxy parses a proxy-url as client-go does (parseProxyURL in
// clientcmd/helpers.go). The error holds nothing of it.
func ParseProxy(text string) (*url.URL, error) {
	u, err := url.Parse(text)
	if err != nil {
		return nil, errors.New("it is not a URL")
	}
	switch u.Scheme {
	case "http", "https", "socks5":
		return u, nil
	}
	return nil, errors.New("its scheme is none of http, https, socks5")
}

// reasonOf returns the reason of a failed request. Those of net/http name the
// URL, with the user in it.
func reasonOf(err error) string {
	var of *url.Error
	if errors.As(err, &of) {
		err = of.Err
	}
	if strings.Contains(err.Error(), "invalid proxy address") { // net/http quotes it
		return "the proxy in the environment has no valid address"
	}
	return err.Error()
}
