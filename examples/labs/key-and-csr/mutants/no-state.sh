#!/bin/sh -eu
openssl req -new -key orders.key -out orders.csr -subj "/C=US/O=Harbor Foods/CN=orders.harbor-foods.example"
