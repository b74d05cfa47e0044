#!/bin/sh -eu
openssl req -x509 -new -key orders.key -out orders.csr -subj "/C=US/ST=Oregon/O=Harbor Foods/CN=orders.harbor-foods.example"
