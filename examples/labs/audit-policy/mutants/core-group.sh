#!/bin/sh -eu
sed -i 's/group: ""/group: core/' policy.yaml
