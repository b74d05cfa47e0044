#!/bin/sh -eu
sed -i 's/\[missing\])/[required])/' template.yaml
