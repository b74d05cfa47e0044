echo 'expiring: [apiserver, front-proxy-client, etcd/healthcheck-client]' > answers.yaml
