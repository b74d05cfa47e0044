package main

// explainCredential returns the commands, for a POSIX shell, that print a
// credential as this command does.
func (a *app) explainCredential(f credentialFlags) (string, error) { return "", nil }
