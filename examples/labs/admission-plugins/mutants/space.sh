#!/bin/sh -eu
sed 's/NodeRestriction,/NodeRestriction, /' kube-apiserver.yaml > changed.yaml
mv changed.yaml kube-apiserver.yaml
