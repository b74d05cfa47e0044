#!/bin/sh -eu
sed 's|nginx:1.29|nginxinc/nginx-unprivileged:1.29|' pod.yaml > changed.yaml
mv changed.yaml pod.yaml
