#!/bin/sh -eu
sed -i -e '/kinds:$/d' -e '/apiGroups:/,+1d' constraint.yaml
