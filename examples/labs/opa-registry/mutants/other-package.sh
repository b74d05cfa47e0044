#!/bin/sh -eu
sed -i 's/^package .*/package kubernetes.validating/' registry.rego
