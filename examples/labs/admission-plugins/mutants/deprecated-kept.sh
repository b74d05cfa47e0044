#!/bin/sh -eu
sed 's/NodeRestriction,/NodeRestriction,NamespaceExists,/' kube-apiserver.yaml > changed.yaml
mv changed.yaml kube-apiserver.yaml
