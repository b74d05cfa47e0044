#!/bin/sh -eu
sed 's|/var/cache/nginx|/var/cache|' pod.yaml > changed.yaml
mv changed.yaml pod.yaml
