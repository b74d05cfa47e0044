cd cluster/pki
renew() {
  openssl x509 -in $1.crt -x509toreq -copy_extensions copyall -signkey $1.key -out a.csr
  openssl x509 -req -in a.csr -CA $2.crt -CAkey $2.key -copy_extensions copyall -out $1.crt
}
renew apiserver ca
renew front-proxy-client front-proxy-ca
