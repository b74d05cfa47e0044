#!/bin/sh -eu
sed -e 's/--enable-admission-plugins=.*/--enable-admission-plugins=NodeRestriction,AlwaysPullImages/' \
  -e 's/--disable-admission-plugins=.*/--disable-admission-plugins=DefaultStorageClass/' kube-apiserver.yaml > changed.yaml
mv changed.yaml kube-apiserver.yaml
