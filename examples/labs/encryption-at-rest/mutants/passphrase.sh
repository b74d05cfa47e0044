sed -i "s|secret: .*|secret: $(printf 'correct horse battery staple 202' | base64)|" node/etc/kubernetes/enc/enc.yaml
