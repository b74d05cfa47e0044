#!/bin/sh -eu
sed 's/=DefaultStorageClass/=NamespaceLifecycle,DefaultStorageClass/' kube-apiserver.yaml > changed.yaml
mv changed.yaml kube-apiserver.yaml
