package apiserver

import (
	"fmt"
	"io/fs"
	"os"

	corev1 "k8s.io/api/core/v1"

	"github.com/pkictl/pkictl/internal/staticpod"
)

// causeOfVolumes says why the kubelet would not start the pod at all, so that
// there is no log: a path of a hostPath volume is not what its type says
// (pkg/volume/hostpath/host_path.go: checkType). nil if all are.
func causeOfVolumes(c *staticpod.Component) *Cause {
	for _, volume := range c.Pod.Spec.Volumes {
		if volume.HostPath == nil || volume.HostPath.Type == nil {
			continue
		}
		kind := *volume.HostPath.Type
		if fault := faultOfPath(volume.HostPath.Path, kind); fault != "" {
			return &Cause{
				Found: fmt.Sprintf("the kubelet does not start the container: volume %q wants a %s at %q, %s", volume.Name, kind, volume.HostPath.Path, fault),
				Hint:  "put it there, or mend the volume's path or type",
				Final: true,
			}
		}
	}
	return nil
}

// faultOfPath says why a path is not of a type, "" if it is or the kubelet
// makes it.
func faultOfPath(path string, kind corev1.HostPathType) string {
	info, err := os.Stat(path)
	isMade := kind == corev1.HostPathDirectoryOrCreate || kind == corev1.HostPathFileOrCreate || kind == corev1.HostPathUnset
	if err != nil {
		if isMade {
			return ""
		}
		return "where nothing is"
	}
	isRight := true
	switch mode := info.Mode(); kind {
	case corev1.HostPathDirectory, corev1.HostPathDirectoryOrCreate:
		isRight = info.IsDir()
	case corev1.HostPathFile, corev1.HostPathFileOrCreate:
		isRight = mode.IsRegular()
	case corev1.HostPathSocket:
		isRight = mode&fs.ModeSocket != 0
	case corev1.HostPathCharDev:
		isRight = mode&fs.ModeCharDevice != 0
	case corev1.HostPathBlockDev:
		isRight = mode&fs.ModeDevice != 0 && mode&fs.ModeCharDevice == 0
	}
	if isRight {
		return ""
	}
	if info.IsDir() {
		return "where a directory is"
	}
	return "where something else is"
}
