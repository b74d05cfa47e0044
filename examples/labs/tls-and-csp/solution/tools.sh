#!/bin/sh -eu
mkdir -p etc/nginx/tls
openssl ecparam -name prime256v1 -genkey -noout -out etc/nginx/tls/app.key
openssl req -new -key etc/nginx/tls/app.key -subj "/CN=app.example.com" -out app.csr
cat > server.ext <<'EXTENSIONS'
basicConstraints = critical,CA:FALSE
keyUsage = critical,digitalSignature
extendedKeyUsage = serverAuth
subjectAltName = DNS:app.example.com,IP:10.0.0.20
EXTENSIONS
openssl x509 -req -in app.csr -CA pki/ca.crt -CAkey pki/ca.key -CAcreateserial \
  -days 365 -extfile server.ext -out etc/nginx/tls/app.crt

cat > etc/nginx/conf.d/app.conf <<'NGINX'
server {
    listen 80;
    server_name app.example.com;
    return 301 https://$host$request_uri;
}

server {
    listen 443 ssl;
    server_name app.example.com;
    root /srv/app;

    ssl_certificate     /etc/nginx/tls/app.crt;
    ssl_certificate_key /etc/nginx/tls/app.key;
    ssl_protocols       TLSv1.2 TLSv1.3;

    add_header Content-Security-Policy "default-src 'self'" always;

    location / {
        # A location with an add_header takes over none from the server.
        add_header Cache-Control "no-cache";
        add_header Content-Security-Policy "default-src 'self'" always;
    }

    location /assets/ {
        add_header Cache-Control "public, max-age=31536000" always;
        add_header Content-Security-Policy "default-src 'self'" always;
    }
}
NGINX
