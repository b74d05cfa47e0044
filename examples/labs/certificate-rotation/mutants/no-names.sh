cd cluster/pki
openssl req -new -key apiserver.key -subj /CN=kube-apiserver -out a.csr
echo extendedKeyUsage=serverAuth > ext
openssl x509 -req -in a.csr -CA ca.crt -CAkey ca.key -days 365 -extfile ext -out apiserver.crt
