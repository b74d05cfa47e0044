#!/bin/sh -eu
sed -i.bak 's|localhostProfile: |&localhost/|' catalog.yaml
