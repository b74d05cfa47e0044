package csr

import (
	"context"
	"sync"
	"time"

	certificatesv1 "k8s.io/api/certificates/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"

	"github.com/pkictl/pkictl/internal/failure"
	"github.com/pkictl/pkictl/internal/kubeclient"
)

// ownObjects selects what pkictl has submitted.
const ownObjects = LabelManagedBy + "=" + ManagedBy

// signerTime is how long a signer may take for a request among many: by default
// it signs 20 a second, and others may be ahead.
const signerTime = 5 * time.Minute

// issueWatch follows all requests that pkictl has submitted by one watch, for
// many who wait for one each.
type issueWatch struct {
	c       *kubeclient.Client
	cancel  context.CancelFunc
	ended   chan struct{}
	mu      sync.Mutex
	waiting map[string]chan *Object // by name
}

// newIssueWatch begins to watch. Stop ends it.
func newIssueWatch(ctx context.Context, c *kubeclient.Client) (*issueWatch, error) {
	// All that is there is of no interest yet: one object says the version, too.
	version, _, err := ownState(ctx, c, 1)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	w := &issueWatch{c: c, cancel: cancel, ended: make(chan struct{}), waiting: map[string]chan *Object{}}
	go func() {
		defer close(w.ended)
		w.run(ctx, version)
	}()
	return w, nil
}

func (w *issueWatch) stop() {
	w.cancel()
	<-w.ended
}

// ownState lists the requests, so many of them or all (0), and says from where on a watch tells the rest.
func ownState(ctx context.Context, c *kubeclient.Client, limit int64) (version string, items []Object, err error) {
	var list certificatesv1.CertificateSigningRequestList
	err = c.List(ctx, kubeclient.CertificateSigningRequests, metav1.ListOptions{LabelSelector: ownObjects, Limit: limit}, &list)
	return list.ResourceVersion, list.Items, err
}

// run watches until ctx ends. When the connection breaks it looks at all that
// there is, and goes on from there.
func (w *issueWatch) run(ctx context.Context, version string) {
	for attempt := 0; ctx.Err() == nil; attempt++ {
		if version == "" {
			var items []Object
			var err error
			if version, items, err = ownState(ctx, w.c, 0); err != nil {
				version = ""
			}
			for i := range items {
				w.tell(&items[i])
			}
		}
		if version != "" && w.follow(ctx, version) {
			attempt = 0
		}
		version = ""
		_ = pause(ctx, attempt) // the loop looks at ctx
	}
}

// follow says whether anything was seen before the watch ended.
func (w *issueWatch) follow(ctx context.Context, version string) (seen bool) {
	events, err := w.c.Watch(ctx, kubeclient.CertificateSigningRequests, metav1.ListOptions{LabelSelector: ownObjects, ResourceVersion: version})
	if err != nil {
		return false
	}
	defer events.Stop()
	for event := range events.ResultChan() {
		object, is := event.Object.(*Object)
		if event.Type == watch.Error || !is {
			return seen
		}
		seen = true
		if event.Type != watch.Deleted { // who waits for it asks in the end
			w.tell(object)
		}
	}
	return seen
}

// tell hands an object on that is issued, or never will be.
func (w *issueWatch) tell(object *Object) {
	if state := StateOf(object); state != StateIssued && ended(object) == nil {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if waiter := w.waiting[object.Name]; waiter != nil {
		select {
		case waiter <- object:
		default: // told already
		}
	}
}

// expect has the watch remember what comes for a name. It is called before the
// request can be issued: nothing is missed.
func (w *issueWatch) expect(name string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.waiting[name] = make(chan *Object, 1)
}

// wait waits until an object is issued, as Wait does for one alone.
func (w *issueWatch) wait(ctx context.Context, object *Object) (*Object, error) {
	w.mu.Lock()
	told := w.waiting[object.Name]
	w.mu.Unlock()
	defer func() {
		w.mu.Lock()
		delete(w.waiting, object.Name)
		w.mu.Unlock()
	}()
	timer := time.NewTimer(signerTime)
	defer timer.Stop()
	look := time.NewTicker(lookAgain)
	defer look.Stop()
	for {
		select {
		case got := <-told:
			if got.UID != object.UID {
				return nil, gone(object.Name, StateReplaced)
			}
			return got, ended(got)
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-look.C: // the watch may have come too late, or the object be deleted
			got, err := get(ctx, w.c, object.Name, object)
			if err != nil && !isPassing(err) {
				return nil, err
			}
			if err == nil {
				w.tell(got)
			}
		case <-timer.C:
			return nil, failure.New(failure.Failed, "see whether kube-controller-manager runs", "certificate signing request %q was not signed within %s", object.Name, signerTime)
		}
	}
}

// lookAgain is after what time a request is asked for that nothing was heard of.
const lookAgain = 20 * time.Second
