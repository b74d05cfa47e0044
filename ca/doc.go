// Package ca is a certificate authority in a directory: keys, profiles, issuing,
// the inventory of what was issued, and reading and verifying certificates.
//
// A certificate is issued in two steps. Prepare builds it, signs it with a
// throwaway key, lints it and compares it with what was asked for. Issue takes
// only what Prepare made: it records the serial, uses the CA key once, and
// checks that the result is the linted certificate to the byte.
package ca
