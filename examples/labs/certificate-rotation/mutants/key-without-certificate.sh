openssl ecparam -name prime256v1 -genkey -noout -out cluster/pki/apiserver.key
