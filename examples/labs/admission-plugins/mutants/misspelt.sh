#!/bin/sh -eu
sed 's/AlwaysPullImages/AlwaysPullImage/' kube-apiserver.yaml > changed.yaml
mv changed.yaml kube-apiserver.yaml
