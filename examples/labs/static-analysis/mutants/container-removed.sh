#!/bin/sh -eu
sed '/name: uploader/,/mountPath:/d' deployment.yaml > changed.yaml
mv changed.yaml deployment.yaml
