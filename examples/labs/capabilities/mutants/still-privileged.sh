#!/bin/sh -eu
sed 's/securityContext:/securityContext:\n      privileged: true/' clock.yaml > changed.yaml
mv changed.yaml clock.yaml
