#!/bin/sh -eu
sed -e '/mountPath: \/run/d' -e '/name: run/d' -e '$d' pod.yaml > changed.yaml
mv changed.yaml pod.yaml
