#!/bin/sh -eu
# An RSA key, a chain, names in another order, relative names of files, an included file,
# settings outside of the servers, and no add_header in the locations.
mkdir -p etc/nginx/tls etc/nginx/snippets
openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out etc/nginx/tls/app.key
openssl req -new -key etc/nginx/tls/app.key -subj "/O=shop/CN=orders" -out app.csr
printf 'subjectAltName = IP:10.0.0.20,DNS:www.example.com,DNS:APP.example.com\nextendedKeyUsage = serverAuth,clientAuth\n' > server.ext
openssl x509 -req -in app.csr -CA pki/ca.crt -CAkey pki/ca.key -set_serial 7 -days 30 -extfile server.ext -out etc/nginx/tls/app.crt
cat pki/ca.crt >> etc/nginx/tls/app.crt
cat > etc/nginx/snippets/tls.conf <<'NGINX'
ssl_certificate tls/app.crt; ssl_certificate_key tls/app.key;
NGINX
cat > etc/nginx/conf.d/app.conf <<'NGINX'
ssl_protocols TLSv1.3 TLSv1.2;
add_header 'content-security-policy' "Default-Src  'self';" always;
server {
  listen [::]:443 ssl default_server; listen 0.0.0.0:443 ssl;
  server_name www.example.com app.example.com;
  include /etc/nginx/snippets/*.conf;
  access_log /var/log/nginx/app.log; server_tokens off; gzip on;
  root /srv/app;
  index index.html;
  error_page 404 /404.html;
  location = /index.html {
    add_header Cache-Control no-cache;
    add_header Content-Security-Policy "default-src 'self'";
  }
  location ~* \.(js|css)$ { add_header Cache-Control "public, max-age=31536000" always; add_header Content-Security-Policy "default-src 'self'" always; }
}
server {
  listen 80 default_server;
  server_name _;
  location / { return 308 https://app.example.com$request_uri; }
}
NGINX
