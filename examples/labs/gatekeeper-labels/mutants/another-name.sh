#!/bin/sh -eu
sed 's/name: namespace-owner/name: owner/' constraint.yaml > changed.yaml
mv changed.yaml constraint.yaml
