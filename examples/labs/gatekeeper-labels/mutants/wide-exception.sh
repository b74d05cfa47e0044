#!/bin/sh -eu
sed -i 's/kube-\*/kube*/' constraint.yaml
