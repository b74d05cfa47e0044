#!/bin/sh -eu
mkdir -p etc/nginx/tls
pkictl issue --cn app.example.com --profile server --ip 10.0.0.20 --out etc/nginx/tls/app
pkictl verify etc/nginx/tls/app.crt

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

    location / {
        add_header Cache-Control "no-cache";
        add_header Content-Security-Policy "default-src 'self'" always;
    }

    location /assets/ {
        add_header Cache-Control "public, max-age=31536000" always;
        add_header Content-Security-Policy "default-src 'self'" always;
    }
}
NGINX
