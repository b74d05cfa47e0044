#!/bin/sh -eu
sed -i '0,/^    ports:/{/^    ports:/d}; 0,/^    - protocol: TCP/{/^    - protocol: TCP/d}; /^      port: 8080/d' networkpolicy.yaml
sed -i '/app: settlement/{n;d}; s/^      port: 9100/&\n    - port: 8080/' networkpolicy.yaml
