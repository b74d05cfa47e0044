#!/bin/sh -eu
sed -i 's/resources: \["pods"\]/resources: ["pods"]\n    resourceNames: ["web"]/' policy.yaml
