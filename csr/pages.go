package csr

import (
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// pageSize is how many objects a page of a list holds.
const pageSize = 500

// allPages returns all objects of a list, which read reads page by page, as its
// options say; read returns what continues it. When reading takes so long that
// the API server has forgotten the version of the first page (410, Expired), it
// begins anew, once and without pages, as client-go does (tools/pager,
// FullListIfExpired).
func allPages[T any](o metav1.ListOptions, read func(metav1.ListOptions) (items []T, next string, err error)) ([]T, error) {
	var all []T
	for o.Limit = pageSize; ; {
		items, next, err := read(o)
		switch {
		case (apierrors.IsResourceExpired(err) || apierrors.IsGone(err)) && o.Continue != "":
			all, o.Limit, o.Continue = nil, 0, ""
			continue
		case err != nil:
			return nil, err
		}
		all = append(all, items...)
		if o.Continue = next; next == "" {
			return all, nil
		}
	}
}
