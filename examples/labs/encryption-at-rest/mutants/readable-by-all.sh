chmod 644 node/etc/kubernetes/enc/enc.yaml
