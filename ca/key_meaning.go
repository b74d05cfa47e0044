package ca

// Meaning says, in a line, what choosing a kind of key brings.
func (k KeyKind) Meaning() string {
	switch k {
	case ECDSAP256:
		return "small, fast and understood everywhere; 128 bits of security"
	case ECDSAP384:
		return "where a rule asks for 192 bits of security; somewhat slower"
	case RSA2048:
		return "for old clients that know RSA alone; what kubeadm makes; 112 bits of security"
	case RSA3072:
		return "RSA with the 128 bits of security that ecdsa-p256 has; larger and slower"
	case RSA4096:
		return "RSA where a rule asks for 4096 bits; slow to make and to sign with"
	case Ed25519:
		return "small and fast, but " + ed25519Warning
	}
	return ""
}
