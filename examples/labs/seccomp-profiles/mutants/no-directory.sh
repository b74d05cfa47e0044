#!/bin/sh -eu
sed -i.bak 's|localhostProfile: profiles/|localhostProfile: |' report.yaml
