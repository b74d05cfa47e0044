#!/bin/sh
pkictl cluster check cluster --within 30d || test $? -eq 3
printf 'expiring: [front-proxy-client, apiserver]\n' > answers.yaml
pkictl cluster renew --dir cluster apiserver front-proxy-client --validity 365d
