package apiserver

import (
	"cmp"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/pkictl/pkictl/internal/failure"
	"github.com/pkictl/pkictl/internal/staticpod"
)

// usedPath is a path of the host that kube-apiserver uses.
type usedPath struct {
	flag, path string
	use        PathUse
}

// broadDirs are not mounted as a whole for the sake of a file in them.
var broadDirs = []string{
	"/", "/bin", "/boot", "/dev", "/etc", "/etc/kubernetes", "/home", "/lib", "/opt", "/proc", "/root", "/run", "/sbin", "/srv",
	"/sys", "/tmp", "/usr", "/usr/local", "/usr/bin", "/var", "/var/lib", "/var/run", "/etc/kubernetes/manifests",
}

// volumes gives every path that is used a volume at the same path.
//
// The kubelet mounts a file as the inode that it was when the container was made: one
// that is replaced later is not seen. What kube-apiserver reads again when it
// changes is therefore mounted with its directory, and so is what it renames,
// as it does with audit logs.
func (p *planner) volumes() error {
	for _, flag := range p.plan.Set {
		known, err := Known(flag.Name, p.plan.Version)
		if err != nil && p.AnyFlag {
			continue
		}
		if err != nil {
			return err
		}
		for _, used := range known.Paths(flag.Value) {
			if err := checkPath(flag.Name, used); err != nil {
				return err
			}
			p.paths = append(p.paths, usedPath{flag.Name, used, known.Path})
			if err := p.named(flag.Name, used); err != nil {
				return err
			}
		}
	}
	for _, used := range p.paths {
		volume, err := p.volumeOf(used)
		if err != nil {
			return err
		}
		p.mount(volume)
	}
	p.dropCovered()
	p.nameVolumes()
	return nil
}

// named adds the paths that the file of a flag names.
func (p *planner) named(flag, file string) error {
	for _, named := range namedPaths(flag, file, p.contents) {
		if err := checkPath(flag, named.path); err != nil {
			return err
		}
		p.paths = append(p.paths, named)
		p.plan.asksWebhook = p.plan.asksWebhook || flag == "authorization-config"
	}
	return nil
}

// contents returns what a file of the host will hold.
func (p *planner) contents(file string) ([]byte, error) {
	for _, made := range p.plan.Files {
		if made.Path == file && made.Data != nil {
			return made.Data, nil
		}
	}
	if p.ReadHost == nil {
		return nil, fs.ErrNotExist
	}
	return p.ReadHost(file)
}

func (p *planner) volumeOf(used usedPath) (Volume, error) {
	dir := path.Dir(used.path)
	switch used.use {
	case PathDirectory:
		return Volume{Path: used.path, Type: HostPathDirectoryOrCreate, Name: used.flag}, nil
	case PathWritten, PathSocket:
		if slices.Contains(broadDirs, dir) {
			return Volume{}, failure.New(failure.Usage, "give it a directory of its own, like "+path.Join(dir, "kube-apiserver", path.Base(used.path)),
				"--%s %q: kube-apiserver would be given all of %s", used.flag, used.path, dir)
		}
		return Volume{Path: dir, Type: HostPathDirectoryOrCreate, Name: used.flag}, nil
	}
	// In a directory of our own there is nothing else.
	if dir == p.Dir {
		return Volume{Path: dir, Type: HostPathDirectory, ReadOnly: true, Name: "kube-apiserver-config"}, nil
	}
	if used.use == PathReread && !slices.Contains(broadDirs, dir) {
		return Volume{Path: dir, Type: HostPathDirectory, ReadOnly: true}, nil
	}
	if used.use == PathReread {
		p.note(fmt.Sprintf("%s is mounted alone, as the rest of %s is none of kube-apiserver's business: a new file in its place is seen after a restart", used.path, dir))
	}
	return Volume{Path: used.path, Type: HostPathFile, ReadOnly: true, Name: used.flag}, nil
}

// mount adds a volume unless there is one of the same path; one that is written
// to is not read only.
func (p *planner) mount(v Volume) {
	for i := range p.plan.Volumes {
		if old := &p.plan.Volumes[i]; old.Path == v.Path {
			if old.ReadOnly && !v.ReadOnly {
				v.Name = cmp.Or(v.Name, old.Name)
				*old = v
			}
			return
		}
	}
	p.plan.Volumes = append(p.plan.Volumes, v)
}

// dropCovered drops volumes that are seen through another.
func (p *planner) dropCovered() {
	all := slices.Clone(p.plan.Volumes)
	p.plan.Volumes = slices.DeleteFunc(p.plan.Volumes, func(v Volume) bool {
		return slices.ContainsFunc(all, func(other Volume) bool {
			return other.Path != v.Path && (v.ReadOnly || !other.ReadOnly) && other.Type != HostPathFile && staticpod.IsBelow(v.Path, other.Path)
		})
	})
}

// nameVolumes gives volumes names that are DNS labels, each once.
func (p *planner) nameVolumes() {
	var taken []string
	for i := range p.plan.Volumes {
		v := &p.plan.Volumes[i]
		name := strings.TrimSuffix(strings.TrimSuffix(v.Name, "-file"), "-path")
		v.Name = uniqueLabel(cmp.Or(name, v.Path), taken)
		taken = append(taken, v.Name)
	}
}

// kubeadmVolumes are the names of kubeadm's own volumes
// (k8s.io/kubernetes/cmd/kubeadm/app/phases/controlplane/volumes.go).
var kubeadmVolumes = []string{"ca-certs", "etc-ca-certificates", "etc-pki", "etcd-certs-0", "etcd-certs-1", "etcd-certs-2", "k8s-certs", "usr-local-share-ca-certificates", "usr-share-ca-certificates"}

// uniqueLabel makes a DNS label (RFC 1123, at most 63 characters) of a text.
func uniqueLabel(text string, taken []string) string {
	label := strings.Trim(strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
			return r
		}
		return '-'
	}, strings.ToLower(text)), "-")
	label = strings.Trim(label[:min(len(label), 58)], "-")
	name := cmp.Or(label, "files")
	for i := 2; slices.Contains(taken, name) || slices.Contains(kubeadmVolumes, name); i++ {
		name = fmt.Sprintf("%s-%d", cmp.Or(label, "files"), i)
	}
	return name
}
