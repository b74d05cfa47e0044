#!/bin/sh -eu
sed -i 's#some container in input.request.object.spec\[field\]#container := input.request.object.spec[field][0]#' registry.rego
