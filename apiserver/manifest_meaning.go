package apiserver

import (
	"reflect"

	"sigs.k8s.io/yaml"
)

// generic reads a manifest as the kubelet does, with all its fields, known or not.
func generic(data []byte) (map[string]any, error) {
	var object map[string]any
	return object, yaml.Unmarshal(data, &object)
}

func containerIn(pod map[string]any, index int) map[string]any {
	spec, _ := pod["spec"].(map[string]any)
	containers, _ := spec["containers"].([]any)
	if index >= len(containers) {
		return nil
	}
	container, _ := containers[index].(map[string]any)
	return container
}

// setList sets a list of an object; one without items is none.
func setList(object map[string]any, key string, items []any) {
	if delete(object, key); len(items) > 0 && object != nil {
		object[key] = items
	}
}

func listIn(object map[string]any, key string) []any {
	list, _ := object[key].([]any)
	return list
}

// putInto makes the change of the mounts in an object that was read.
func (m mountEdit) putInto(pod map[string]any, index int) {
	container := containerIn(pod, index)
	mounts := listIn(container, "volumeMounts")
	for _, i := range m.writable {
		if mount, isObject := mounts[i].(map[string]any); isObject {
			mount["readOnly"] = false
		}
	}
	spec, _ := pod["spec"].(map[string]any)
	setList(container, "volumeMounts", putAll(mounts, m.mounts, mountFields, m.mountsFirst))
	setList(spec, "volumes", putAll(listIn(spec, "volumes"), m.volumes, volumeFields, m.volumesFirst))
}

func putAll(list []any, added []Volume, fields func(Volume) []field, first bool) []any {
	var items []any
	for _, v := range added {
		items = append(items, object(fields(v)))
	}
	if first {
		return append(items, list...)
	}
	return append(list, items...)
}

func object(fields []field) map[string]any {
	o := map[string]any{}
	for _, f := range fields {
		if inner, isObject := f.value.([]field); isObject {
			o[f.key] = object(inner)
		} else {
			o[f.key] = f.value
		}
	}
	return o
}

// sameMeaning compares two pods that were read. A list without items is none.
func sameMeaning(a, b map[string]any, index int) bool {
	for _, pod := range []map[string]any{a, b} {
		spec, _ := pod["spec"].(map[string]any)
		container := containerIn(pod, index)
		setList(spec, "volumes", listIn(spec, "volumes"))
		for _, key := range []string{"command", "args", "volumeMounts"} {
			setList(container, key, listIn(container, key))
		}
	}
	return reflect.DeepEqual(a, b)
}
