#!/bin/sh -eu
# It would refuse a plugin that kube-apiserver 1.36 does not know.
pkictl apiserver patch --manifest kube-apiserver.yaml --yes \
  --set enable-admission-plugins=NodeRestriction,AlwaysPullImages \
  --set disable-admission-plugins=DefaultStorageClass
