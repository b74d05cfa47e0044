#!/bin/sh -eu
sed '/name: uploader/,/drop:/ { /readOnlyRoot/d; s/\["ALL"\]/["NET_RAW"]/; }' deployment.yaml > changed.yaml
mv changed.yaml deployment.yaml
