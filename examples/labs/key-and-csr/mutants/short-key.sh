#!/bin/sh -eu
openssl genrsa -out orders.key 1024
openssl rsa -in orders.key -pubout > orders.pub
openssl req -new -key orders.key -out orders.csr -subj "/C=US/ST=Oregon/O=Harbor Foods/CN=orders.harbor-foods.example"
