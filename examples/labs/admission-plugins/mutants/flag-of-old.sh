#!/bin/sh -eu
sed 's/- --disable-admission-plugins=.*/- --disable-admission-plugins=DefaultStorageClass\n    - --admission-control=NamespaceLifecycle/' kube-apiserver.yaml > changed.yaml
mv changed.yaml kube-apiserver.yaml
