cd cluster/pki
openssl ecparam -name prime256v1 -genkey -noout -out ca.key
openssl req -x509 -key ca.key -subj /CN=kubernetes -days 3650 -out ca.crt
openssl x509 -in apiserver.crt -x509toreq -copy_extensions copyall -signkey apiserver.key -out a.csr
openssl x509 -req -in a.csr -CA ca.crt -CAkey ca.key -copy_extensions copyall -days 365 -out apiserver.crt
