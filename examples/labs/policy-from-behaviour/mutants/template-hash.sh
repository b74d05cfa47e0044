#!/bin/sh -eu
sed -i 's/^      app: ledger/&\n      pod-template-hash: 66d9f8c7b5/' networkpolicy.yaml
