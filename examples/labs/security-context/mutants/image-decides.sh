#!/bin/sh -eu
sed '/runAsNonRoot/d' deployment.yaml > changed.yaml
mv changed.yaml deployment.yaml
