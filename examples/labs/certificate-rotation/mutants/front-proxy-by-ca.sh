cd cluster/pki
openssl x509 -in front-proxy-client.crt -x509toreq -copy_extensions copyall -signkey front-proxy-client.key -out a.csr
openssl x509 -req -in a.csr -CA ca.crt -CAkey ca.key -copy_extensions copyall -days 365 -out front-proxy-client.crt
