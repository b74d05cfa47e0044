#!/bin/sh -eu
sed -i 's/^  podSelector: {}/  podSelector: {matchExpressions: [{key: app, operator: In, values: [api, db]}]}/' policies.yaml
