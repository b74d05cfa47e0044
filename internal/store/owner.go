package store

import (
	"io/fs"
	"os/user"
	"strconv"
	"strings"

	"github.com/pkictl/pkictl/internal/failure"
)

// Owner is whom a file belongs to, in the numbers of this machine. A number of -1
// is not known, or not looked at.
type Owner struct{ UID, GID int }

// OwnerOf returns whom a file belongs to. Where that is not known, as on Windows,
// both numbers are -1.
func OwnerOf(info fs.FileInfo) Owner { return ownerOf(info) }

// ParseOwner reads USER or USER:GROUP, in names or numbers of this machine.
func ParseOwner(text string) (Owner, error) {
	o := Owner{-1, -1}
	name, group, has := strings.Cut(text, ":")
	bad := func() (Owner, error) {
		return o, failure.New(failure.Usage, "write it like root or root:root, with names or numbers of this machine", "there is no owner %.80q", text)
	}
	if id, err := strconv.ParseUint(name, 10, 31); err == nil {
		o.UID = int(id)
	} else if found, err := user.Lookup(name); err == nil {
		o.UID, _ = strconv.Atoi(found.Uid)
	} else {
		return bad()
	}
	if !has {
		return o, nil
	}
	if id, err := strconv.ParseUint(group, 10, 31); err == nil {
		o.GID = int(id)
	} else if found, err := user.LookupGroup(group); err == nil {
		o.GID, _ = strconv.Atoi(found.Gid)
	} else {
		return bad()
	}
	return o, nil
}

// Is says whether a file's owner is the one that is wanted, as far as that says.
func (o Owner) Is(want Owner) bool {
	return (want.UID < 0 || o.UID == want.UID) && (want.GID < 0 || o.GID == want.GID)
}

// String returns USER:GROUP by the names that this machine has, or the numbers;
// only USER where the group is not known.
func (o Owner) String() string {
	text := strconv.Itoa(o.UID)
	if found, err := user.LookupId(text); err == nil {
		text = found.Username
	}
	if o.GID < 0 {
		return text
	}
	group := strconv.Itoa(o.GID)
	if found, err := user.LookupGroupId(group); err == nil {
		group = found.Name
	}
	return text + ":" + group
}
