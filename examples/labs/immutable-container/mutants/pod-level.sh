#!/bin/sh -eu
sed -e '/readOnlyRoot/d' -e '/  securityContext:/d' -e 's/^spec:/spec:\n  securityContext:\n    readOnlyRootFilesystem: true/' pod.yaml > changed.yaml
mv changed.yaml pod.yaml
