#!/bin/sh -eu
openssl req -x509 -newkey rsa:2048 -nodes -keyout old.key -subj "/CN=KUBERNETES-CA" -days 3650 -out old.crt
openssl x509 -req -in ca.csr -CA old.crt -CAkey old.key -CAcreateserial -days 3650 -extfile ca.ext -out pki/ca.crt
