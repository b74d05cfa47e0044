#!/bin/sh -eu
sed 's/NodeRestriction,/NodeRestriction,PodSecurityPolicy,/' kube-apiserver.yaml > changed.yaml
mv changed.yaml kube-apiserver.yaml
