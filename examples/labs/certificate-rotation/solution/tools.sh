#!/bin/sh
cd cluster/pki
for crt in $(find . -name '*.crt'); do
  openssl x509 -in $crt -noout -checkend 2592000 > /dev/null || echo "$crt ends soon"
done
echo 'expiring: apiserver, front-proxy-client' > ../../answers.yaml
# renew NAME CA: with the key, the subject and the extensions that it has.
renew() {
  openssl x509 -in $1.crt -x509toreq -copy_extensions copyall -signkey $1.key -out ../../new.csr
  openssl x509 -req -in ../../new.csr -CA $2.crt -CAkey $2.key -copy_extensions copyall -days 365 -out ../../new.crt
  cp ../../new.crt $1.crt
  rm ../../new.csr ../../new.crt
}
renew apiserver ca
renew front-proxy-client front-proxy-ca
# What is presented now, at the address that stands in the kubeconfig:
server=$(kubectl --kubeconfig ../../admin.conf config view -o jsonpath='{.clusters[0].cluster.server}')
openssl s_client -connect ${server#https://} < /dev/null 2> /dev/null | openssl x509 -noout -enddate
