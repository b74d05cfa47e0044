#!/bin/sh -eu
sed 's/replicas: 2/replicas: 1/' deployment.yaml > changed.yaml
mv changed.yaml deployment.yaml
