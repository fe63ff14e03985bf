"""The server block that people write by hand, as guides have it."""

from __future__ import annotations

GUIDE = """\
server {
    listen 80;
    server_name example.com;
    location /static/ {
        alias /var/www/myapp/static/;
        access_log off;
        expires 7d;
        add_header Cache-Control "public";
    }
    location /media/ {
        alias /var/www/myapp/media/;
        access_log off;
        expires 1d;
        add_header Cache-Control "public";
    }
    location / {
        proxy_pass http://unix:/run/gunicorn.sock;
        include proxy_params;
    }
}
"""
