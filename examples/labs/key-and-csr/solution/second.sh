#!/bin/sh -eu
openssl genrsa -traditional -out orders.key 3072
openssl rsa -in orders.key -RSAPublicKey_out -out orders.pub
printf '[req]\nprompt = no\ndistinguished_name = dn\n[dn]\nCN = orders.harbor-foods.example\nO = Harbor Foods\nST = Oregon\nC = US\n' > req.cnf
openssl req -new -config req.cnf -key orders.key -sha512 -text -out orders.csr
# as an editor of Windows leaves it
sed 's/$/\r/' orders.csr > crlf && mv crlf orders.csr
