#!/bin/sh -eu
sed 's/  labels:/  labels: {team: payments}\n  annotations:/' policy.yaml > changed.yaml
mv changed.yaml policy.yaml
