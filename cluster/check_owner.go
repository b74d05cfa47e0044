package cluster

import (
	"os"
	"os/user"
	"strconv"
	"strings"

	"github.com/pkictl/pkictl/internal/failure"
	"github.com/pkictl/pkictl/internal/store"
)

// owner is whom files have to belong to. A number of -1 is not looked at.
type owner struct{ uid, gid int }

func (o owner) String() string {
	text := userName(o.uid)
	if o.gid >= 0 {
		text += ":" + groupName(o.gid)
	}
	return text
}

// wantedOwner reads USER or USER:GROUP, in names or numbers. Without any it is
// root:root for root, as on a node; for others who has a copy of their own it is
// who owns the directory.
func wantedOwner(text, dir string) (owner, error) {
	if text != "" {
		return parseOwner(text)
	}
	if os.Geteuid() == 0 {
		return owner{0, 0}, nil
	}
	info, err := os.Stat(dir)
	if err != nil {
		return owner{}, store.ReadError(err, dir)
	}
	uid, _ := idsOf(info)
	return owner{uid, -1}, nil
}

func parseOwner(text string) (owner, error) {
	o := owner{-1, -1}
	name, group, has := strings.Cut(text, ":")
	bad := func() (owner, error) {
		return o, failure.New(failure.Usage, "write it like root or root:root, with names or numbers of this machine", "there is no owner %s", shown(text))
	}
	if id, err := strconv.ParseUint(name, 10, 31); err == nil {
		o.uid = int(id)
	} else if found, err := user.Lookup(name); err == nil {
		o.uid, _ = strconv.Atoi(found.Uid)
	} else {
		return bad()
	}
	if !has {
		return o, nil
	}
	if id, err := strconv.ParseUint(group, 10, 31); err == nil {
		o.gid = int(id)
	} else if found, err := user.LookupGroup(group); err == nil {
		o.gid, _ = strconv.Atoi(found.Gid)
	} else {
		return bad()
	}
	return o, nil
}

// userName is the name that this machine has for a user, or the number.
func userName(uid int) string {
	if found, err := user.LookupId(strconv.Itoa(uid)); err == nil {
		return found.Username
	}
	return strconv.Itoa(uid)
}

func groupName(gid int) string {
	if found, err := user.LookupGroupId(strconv.Itoa(gid)); err == nil {
		return found.Name
	}
	return strconv.Itoa(gid)
}
