#!/bin/sh -eu
sed -i 's/group: ""/group: " "/' policy.yaml
