#!/bin/sh -eu
sed -i '0,/^    matchLabels:/{/^    matchLabels:/d}; 0,/^      app: ledger/{/^      app: ledger/d}; 0,/^  podSelector:/s//  podSelector: {}/' networkpolicy.yaml
