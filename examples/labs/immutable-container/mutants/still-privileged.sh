#!/bin/sh -eu
sed '/name: nginx/,/readOnlyRoot/ s/securityContext:/securityContext:\n      privileged: true/' pod.yaml > changed.yaml
mv changed.yaml pod.yaml
