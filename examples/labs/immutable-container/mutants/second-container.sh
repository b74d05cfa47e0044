#!/bin/sh -eu
sed '/name: reload/,/volumeMounts/ { /securityContext/d; /readOnlyRoot/d; }' pod.yaml > changed.yaml
mv changed.yaml pod.yaml
