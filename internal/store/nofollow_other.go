//go:build !unix

package store

// noFollow is nothing where the system knows no such thing.
const noFollow = 0
