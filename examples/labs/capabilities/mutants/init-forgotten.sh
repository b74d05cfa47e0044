#!/bin/sh -eu
sed -e '/# of assets/d' -e '/name: assets/,/volumeMounts/ { /capabilities:/d; }' web.yaml > changed.yaml
mv changed.yaml web.yaml
