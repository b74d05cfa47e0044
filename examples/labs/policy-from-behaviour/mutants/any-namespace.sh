#!/bin/sh -eu
sed -i '0,/    - podSelector:/s//    - namespaceSelector: {}\n      podSelector:/' networkpolicy.yaml
