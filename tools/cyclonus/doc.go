// Package cyclonus holds the evaluator of network policies, lab/networkpolicy, against
// that of github.com/mattfenwick/cyclonus, which others test network plugins with. It is
// a module of its own, so that pkictl does not depend on it.
package cyclonus
