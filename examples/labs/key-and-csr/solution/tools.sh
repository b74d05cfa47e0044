#!/bin/sh -eu
openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out orders.key
openssl pkey -in orders.key -pubout -out orders.pub
openssl req -new -key orders.key -out orders.csr \
  -subj "/C=US/ST=Oregon/O=Harbor Foods/CN=orders.harbor-foods.example"
openssl req -in orders.csr -noout -subject -verify
