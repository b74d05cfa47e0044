#!/bin/sh -eu
# Kubernetes reads common name and organizations of a subject, and pkictl writes no
# others. With country and state the request has to come from openssl.
pkictl csr new orders.harbor-foods.example --group "Harbor Foods" --key rsa-2048 --out orders
openssl pkey -in orders.key -pubout -out orders.pub
openssl req -new -key orders.key -out orders.csr \
  -subj "/C=US/ST=Oregon/O=Harbor Foods/CN=orders.harbor-foods.example"
pkictl inspect orders.csr
