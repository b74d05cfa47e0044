#!/bin/sh -eu
sed -i 's#gatekeeper.sh/v1$#gatekeeper.sh/v1beta1#' template.yaml
