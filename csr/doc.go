// Package csr works with CertificateSigningRequests of the API group
// certificates.k8s.io/v1: it makes, checks, sends, reviews, approves and signs
// them, and waits for what becomes of them. On top of that stand users: a
// credential, what it is bound to, and how it is taken back.
package csr
