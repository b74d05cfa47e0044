pkictl cluster renew --dir cluster --validity 365d
