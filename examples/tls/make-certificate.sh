#!/bin/sh
# Creates a self-signed certificate for NAME, valid for 90 days, unless one exists.
set -eu
name=${1:?usage: make-certificate.sh NAME}
certificate=/etc/ssl/certs/$name.pem
key=/etc/ssl/private/$name.key

if [ -e "$certificate" ] || [ -e "$key" ]; then
    echo "$certificate or $key already exists; nothing was changed."
    exit 0
fi
install -d -m 0755 /etc/ssl/certs
install -d -m 0710 /etc/ssl/private
umask 077
openssl req -x509 -newkey rsa:2048 -sha256 -nodes -days 90 \
    -subj "/CN=$name" -addext "subjectAltName=DNS:$name" \
    -keyout "$key" -out "$certificate" 2>/dev/null
chmod 0644 "$certificate"
echo "Created $certificate and $key."
