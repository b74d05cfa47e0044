#!/bin/sh
# New keys of another kind, names in another order, two years, and a text before the
# certificate.
cat > answers.yaml <<END
expiring:
- front-proxy-client
- apiserver
END
pki=cluster/pki
sans=$(openssl x509 -in $pki/apiserver.crt -noout -ext subjectAltName | tail -1 | sed -e 's/IP Address:/IP:/g' -e 's/ //g' | tr , '\n' | sort -r | paste -sd, -)
openssl req -new -newkey rsa:2048 -nodes -keyout a.key -subj /CN=kube-apiserver -out a.csr
cat > ext <<END
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature, keyEncipherment
extendedKeyUsage = serverAuth
subjectAltName = $sans
END
openssl x509 -req -in a.csr -CA $pki/ca.crt -CAkey $pki/ca.key -days 730 -extfile ext -text -out a.crt
mv a.key $pki/apiserver.key
mv a.crt $pki/apiserver.crt
openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-384 -nodes -keyout f.key -subj /CN=front-proxy-client -out f.csr
printf 'keyUsage = digitalSignature\nextendedKeyUsage = clientAuth\n' > ext
openssl x509 -req -in f.csr -CA $pki/front-proxy-ca.crt -CAkey $pki/front-proxy-ca.key -days 301 -extfile ext -out f.crt
mv f.key $pki/front-proxy-client.key
mv f.crt $pki/front-proxy-client.crt
rm a.csr f.csr ext
