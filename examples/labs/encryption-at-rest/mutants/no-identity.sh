sed -i '/- identity/d' node/etc/kubernetes/enc/enc.yaml
