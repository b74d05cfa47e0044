#!/bin/sh -eu
sed '/runAsGroup/d' deployment.yaml > changed.yaml
mv changed.yaml deployment.yaml
