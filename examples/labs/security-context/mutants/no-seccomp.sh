#!/bin/sh -eu
sed -e '/seccompProfile/d' -e '/RuntimeDefault/d' deployment.yaml > changed.yaml
mv changed.yaml deployment.yaml
