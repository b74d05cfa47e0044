#!/bin/sh -eu
sed -i '0,/  - from:/s//  - from: []/; 0,/    - podSelector:/{/    - podSelector:/d}; 0,/nginx: client/{/nginx: client/d}' policies.yaml
sed -i '/  - from: \[\]/{n;d}' policies.yaml
