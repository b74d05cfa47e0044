#!/bin/sh -eu
sed '/initContainers:/,/mountPath:/d' deployment.yaml > changed.yaml
mv changed.yaml deployment.yaml
