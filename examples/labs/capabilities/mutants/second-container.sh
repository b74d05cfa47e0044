#!/bin/sh -eu
sed '/name: metrics/,/capabilities/ { /allowPrivilegeEscalation/d; }' web.yaml > changed.yaml
mv changed.yaml web.yaml
