#!/bin/sh -eu
sed '/name: migrate/,/drop:/ { /allowPrivilegeEscalation/d; }' pod.yaml > changed.yaml
mv changed.yaml pod.yaml
