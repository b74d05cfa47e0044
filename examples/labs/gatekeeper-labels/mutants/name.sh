#!/bin/sh -eu
sed -i 's#name: k8srequiredlabels#name: required-labels#' template.yaml
