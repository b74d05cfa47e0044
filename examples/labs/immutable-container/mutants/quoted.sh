#!/bin/sh -eu
sed 's/readOnlyRootFilesystem: true/readOnlyRootFilesystem: "true"/' pod.yaml > changed.yaml
mv changed.yaml pod.yaml
