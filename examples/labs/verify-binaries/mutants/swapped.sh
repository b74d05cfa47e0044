#!/bin/sh -eu
sed -i -e 's/^tampered:.*/tampered: kubectl/' -e 's/^mixed-up:.*/mixed-up: kubelet/' answers.yaml
