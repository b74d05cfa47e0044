#!/bin/sh -eu
sed -i -e 's/type: array/type: string/' -e '/items:/,+1d' -e 's/label := input.parameters.labels\[_\]/label := input.parameters.labels/' template.yaml
sed -i 's/labels: \["owner"\]/labels: owner/' constraint.yaml
