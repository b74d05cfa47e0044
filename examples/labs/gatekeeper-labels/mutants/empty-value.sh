#!/bin/sh -eu
sed -i 's/labels\[label\] != ""/labels[label]/' template.yaml
