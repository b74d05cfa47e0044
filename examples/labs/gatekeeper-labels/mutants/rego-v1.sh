#!/bin/sh -eu
sed -i 's/violation\[\(.*\)\] {$/violation contains \1 if {/' template.yaml
