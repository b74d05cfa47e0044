#!/bin/sh -eu
sed '/name: log-shipper/,/drop:/ { /allowPrivilegeEscalation/d; }' deployment.yaml > changed.yaml
mv changed.yaml deployment.yaml
