cd cluster/pki
openssl x509 -in apiserver.crt -x509toreq -copy_extensions copyall -signkey apiserver.key -out a.csr
openssl x509 -req -in a.csr -CA front-proxy-ca.crt -CAkey front-proxy-ca.key -copy_extensions copyall -days 365 -out apiserver.crt
