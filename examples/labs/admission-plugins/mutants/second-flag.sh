#!/bin/sh -eu
sed 's/- --enable-admission-plugins=/- --enable-admission-plugins=NamespaceAutoProvision\n    - --enable-admission-plugins=/' kube-apiserver.yaml > changed.yaml
mv changed.yaml kube-apiserver.yaml
