package apiserver

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/util/version"

	"github.com/pkictl/pkictl/internal/failure"
)

// Version is a minor version of Kubernetes. As JSON it is a string.
type Version struct{ Major, Minor int }

// The versions whose flags are known.
var (
	oldestKnown = Version{1, 30}
	newestKnown = Version{1, 36}
)

// NewestKnown returns the newest version whose flags are known.
func NewestKnown() Version { return newestKnown }

// String returns the version as in 1.36.
func (v Version) String() string { return fmt.Sprintf("%d.%d", v.Major, v.Minor) }

// MarshalJSON returns what String does.
func (v Version) MarshalJSON() ([]byte, error) { return json.Marshal(v.String()) }

// AtLeast says whether v is that version or a newer one.
func (v Version) AtLeast(other Version) bool {
	return v.Major > other.Major || v.Major == other.Major && v.Minor >= other.Minor
}

// ParseVersion reads a version like 1.36, v1.36.3 or v1.36.3+k3s1; empty is
// NewestKnown. One whose flags are not known is an error of kind Usage.
func ParseVersion(text string) (Version, error) {
	if text == "" {
		return newestKnown, nil
	}
	hint := fmt.Sprintf("known are %s to %s", oldestKnown, newestKnown)
	number := strings.TrimPrefix(text, "v")
	if strings.Count(number, ".") == 1 {
		number += ".0"
	}
	parsed, err := version.ParseSemantic(number)
	if err != nil {
		return Version{}, failure.New(failure.Usage, hint, "%q is no version of Kubernetes", text)
	}
	v := Version{int(parsed.Major()), int(parsed.Minor())}
	if !v.AtLeast(oldestKnown) || !newestKnown.AtLeast(v) {
		return Version{}, failure.New(failure.Usage, hint, "the flags of kube-apiserver %s are not known", strconv.Quote(text))
	}
	return v, nil
}
