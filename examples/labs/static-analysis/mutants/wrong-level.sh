#!/bin/sh -eu
sed -e '/serviceAccountName/d' -e 's|^  replicas: 1|  replicas: 1\n  serviceAccountName: builder|' deployment.yaml > changed.yaml
mv changed.yaml deployment.yaml
