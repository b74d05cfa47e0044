#!/bin/sh -eu
sed -i 's#audit.k8s.io/v1#audit.k8s.io/v1beta1#' policy.yaml
