#!/bin/sh -eu
sed -i '/port: 80$/,/  - from:/d' policies.yaml
sed -i '0,/    ports:/s///; s/    - port: 9113/    - port: 9113\n    - port: 80/' policies.yaml
