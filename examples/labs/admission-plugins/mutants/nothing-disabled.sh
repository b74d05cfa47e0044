#!/bin/sh -eu
sed '/--disable-admission-plugins/d' kube-apiserver.yaml > changed.yaml
mv changed.yaml kube-apiserver.yaml
