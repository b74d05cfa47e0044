// Package store puts bytes on disk and gets them back: several files as one
// durable step, modes, locks, size limits, and the inventory of certificates.
// It knows nothing of certificates beyond the columns of the inventory.
package store
