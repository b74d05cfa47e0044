package csr

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/pkictl/pkictl/internal/kubeclient"
)

// A ConfigMap of pkictl's own remembers whose access was taken away while a
// certificate of theirs still works. It has a key for each user; the value is a
// RemovedUser in JSON. Who may write it may write all of kube-system.
const (
	removedNamespace = "kube-system"
	removedName      = "pkictl-removed-users"
	removedList      = kubeclient.Namespaces + "/" + removedNamespace + "/configmaps"
	removedPath      = removedList + "/" + removedName

	// RemovedUsersObject names it in messages.
	RemovedUsersObject = removedNamespace + "/" + removedName

	fromRemoved = "removed users" // in Credential.KnownFrom
)

// RemovedUser is somebody whose access was taken away while certificates of
// theirs still worked.
type RemovedUser struct {
	Name        string       `json:"user"`
	Removed     time.Time    `json:"removed"`
	Credentials []Credential `json:"credentials"` // the last to end first
}

// RemovedUsers returns the removed users who have a certificate in force, by
// name. Where nobody was removed there are none. The API server refuses
// (IsForbidden) who may not read the ConfigMap pkictl-removed-users in
// kube-system.
func RemovedUsers(ctx context.Context, c *kubeclient.Client, now time.Time) ([]RemovedUser, error) {
	var object corev1.ConfigMap
	if err := c.Get(ctx, removedPath, &object); err != nil {
		if apierrors.IsNotFound(err) {
			err = nil
		}
		return nil, err
	}
	var users []RemovedUser
	for key, value := range object.Data {
		user, isValid := parseRemoved(key, value)
		if user.Credentials = inForce(user.Credentials, now); isValid && len(user.Credentials) > 0 {
			users = append(users, user)
		}
	}
	slices.SortFunc(users, func(a, b RemovedUser) int { return cmp.Compare(a.Name, b.Name) })
	return users, nil
}

// parseRemoved decodes a key and its value. What is not ours is not valid.
func parseRemoved(key, value string) (user RemovedUser, isValid bool) {
	if json.Unmarshal([]byte(value), &user) != nil || user.Name == "" || removedKey(user.Name) != key {
		return RemovedUser{}, false
	}
	user.Credentials = slices.DeleteFunc(user.Credentials, func(c Credential) bool { return !c.isWellFormed() })
	for i := range user.Credentials {
		user.Credentials[i].User, user.Credentials[i].KnownFrom = user.Name, []string{fromRemoved}
	}
	user.Credentials = mergeCredentials(nil, user.Credentials...)
	return user, true
}

// keyForm is what a key of a ConfigMap may be (kubernetes
// apimachinery/pkg/util/validation, IsConfigMapKey).
var keyForm = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[-_a-zA-Z0-9][-._a-zA-Z0-9]{0,252}$`) })

const hashedKey = "sha256-"

// removedKey is the user's name, or a hash of it where that cannot be a key.
func removedKey(user string) string {
	if keyForm().MatchString(user) && !strings.HasPrefix(user, hashedKey) {
		return user
	}
	sum := sha256.Sum256([]byte(user))
	return hashedKey + hex.EncodeToString(sum[:])
}

// value is what the ConfigMap holds for the user.
func (u RemovedUser) value() (string, error) {
	u.Credentials = slices.Clone(u.Credentials[:min(len(u.Credentials), maxCredentials)])
	for i := range u.Credentials {
		u.Credentials[i].User, u.Credentials[i].KnownFrom = "", nil
	}
	data, err := json.Marshal(u)
	return string(data), err
}

// remember notes the user, and forgets those whose certificates have ended.
func (u RemovedUser) remember(ctx context.Context, c *kubeclient.Client, now time.Time) error {
	text, err := u.value()
	if err != nil {
		return err
	}
	key := removedKey(u.Name)
	for range conflictTries {
		var object corev1.ConfigMap
		err = c.Get(ctx, removedPath, &object)
		if apierrors.IsNotFound(err) {
			object.ObjectMeta = metav1.ObjectMeta{Name: removedName, Namespace: removedNamespace, Labels: map[string]string{LabelManagedBy: ManagedBy}}
			object.Data = map[string]string{key: text}
			err = c.Create(ctx, removedList, &object, nil)
		} else if err == nil {
			err = c.Patch(ctx, removedPath, removedPatch(&object, key, text, now), nil)
		}
		if !apierrors.IsConflict(err) && !apierrors.IsAlreadyExists(err) {
			return err
		}
	}
	return err
}

// removedPatch sets a key, and takes away those that serve no more. The
// resource version keeps it from undoing what another has noted meanwhile.
func removedPatch(object *corev1.ConfigMap, key, text string, now time.Time) []byte {
	data := map[string]any{}
	for k, v := range object.Data {
		if user, isValid := parseRemoved(k, v); isValid && len(inForce(user.Credentials, now)) == 0 {
			data[k] = nil
		}
	}
	data[key] = text
	patch, _ := json.Marshal(map[string]any{ // of strings and nil: it cannot fail
		"metadata": map[string]any{"resourceVersion": object.ResourceVersion}, "data": data,
	})
	return patch
}

// isRefusal says whether the ConfigMap cannot be written by this client, or in
// this cluster, however often it is tried.
func isRefusal(err error) bool {
	return apierrors.IsForbidden(err) || apierrors.IsNotFound(err) || apierrors.IsInvalid(err) || apierrors.IsRequestEntityTooLargeError(err)
}
