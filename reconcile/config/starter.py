"""The file that `reconcile init` writes: what a Flask app needs, and the rest in comments."""

from __future__ import annotations

STARTER = """\
# The desired state of this host. `reconcile plan` shows what differs; `reconcile apply` fixes it.
version: 1

sites:
  myapp:
    server_names: [example.com]       # the names that visitors type
    # listen: [80, 443]               # IPv4 and IPv6; by default 80, and 443 with tls
    # max_upload: 20MB                # nginx's default is 1MB
    # tls:
    #   letsencrypt: example.com      # or the paths of a certificate and its key
    #   hsts: 1y                      # once everything works over HTTPS

    app:
      upstream: unix:/run/gunicorn.sock   # or http://127.0.0.1:8000
      service: gunicorn.service           # kept running, and started at boot
      # user: www-data                    # the user that runs the app and owns uploads
      # gunicorn:                         # manage the unit and its socket as well
      #   directory: /srv/myapp
      #   python: /srv/myapp/.venv/bin/python
      #   module: "app:app"
      #   workers: 3
      # flask: {directory: ./app, module: "app:app"}   # compared by `reconcile doctor`

    locations:
      # Part of the app: every apply copies them from source; browsers keep them for a week.
      /static/:
        role: static
        dir: /var/www/myapp/static
        source: ./app/static
        # cache: hashed               # for names that contain a hash: kept for a year
        # prune: true                 # remove files that are not in the source
        # precompress: [gzip]         # store app.css.gz beside app.css, for nginx to send

      # Uploaded by users: owners and modes are managed, files are never changed or removed.
      /media/:
        role: media
        dir: /var/www/myapp/media

      # Served only when the app sends X-Accel-Redirect.
      # /protected/: {role: private, dir: /srv/myapp/protected}

    # extra: |                        # more nginx directives for this site
    #   gzip on;

    # probes:                         # checked after every apply, beside the built-in ones
    #   - {get: /static/css/app.css, expect: {status: 200, served_by: nginx}}
    #   - {upload: /upload, field: file, then_get: "/media/{filename}"}

# Owners of files. These two are built in; modes are quoted octal numbers.
# owners:
#   assets:  {user: root,     group: root,     dirs: "0755", files: "0644"}
#   uploads: {user: www-data, group: www-data, dirs: "0755", files: "0644"}

# How long browsers keep a response. week, day, hashed and none are built in.
# cache_policies:
#   hour: {max_age: 1h, visibility: public}

# Containers whose uploads are served here: `reconcile doctor` checks their mounts.
# containers:
#   - {compose: ./compose.yaml, service: web, mounts: {/media/: /app/media}}

# Other directories, files and links.
# paths:
#   /etc/myapp/app.env:
#     {owner: {user: root, group: www-data, files: "0640"}, source: ./app.env, sensitive: true}
"""
