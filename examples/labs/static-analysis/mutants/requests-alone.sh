#!/bin/sh -eu
sed '/ limits:/,/memory:/d' deployment.yaml > changed.yaml
mv changed.yaml deployment.yaml
