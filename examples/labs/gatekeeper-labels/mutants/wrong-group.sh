#!/bin/sh -eu
sed -i 's/apiGroups: \[""\]/apiGroups: ["v1"]/' constraint.yaml
