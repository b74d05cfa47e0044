#!/bin/sh -eu
sed -i "s/^released:.*/released: $(sed -n 's#  linux/arm64/kubelet##p' released)/" answers.yaml
