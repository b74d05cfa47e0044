#!/bin/sh -eu
# The linter names the fields that kube-apiserver passes over. Groups and the order
# of the rules are for people to decide.
pkictl audit lint policy.yaml || true
sed -i.bak \
  -e 's/namespace:/namespaces:/' -e 's/groups: " "/group: ""/' -e 's/resourceName:/resourceNames:/' \
  -e 's/\["delete"\]/["delete", "deletecollection"]/' \
  -e 's/^rules:/omitStages: ["RequestReceived"]\nrules:/' policy.yaml
printf '%s\n' '- level: Metadata' >> policy.yaml
pkictl audit explain policy.yaml --verb deletecollection --resource pods --namespace prod-namespace
