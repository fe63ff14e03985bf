"""A reconcile.yaml to begin with: what a Flask app needs, and in comments what else there is."""

from __future__ import annotations

STARTER = """\
# What shall be true of this host. `reconcile plan` shows the difference, `reconcile apply` ends it.
version: 1

sites:
  myapp:
    server_names: [example.com]       # the names that visitors type
    # listen: [80, 443]               # v4 and v6; 80, and 443 with tls, where left out
    # max_upload: 20MB                # nginx refuses more than 1MB where left out
    # tls:
    #   letsencrypt: example.com      # or certificate: and key:, by their paths
    #   hsts: 1y                      # once everything works over HTTPS

    app:
      upstream: unix:/run/gunicorn.sock   # or http://127.0.0.1:8000
      service: gunicorn.service           # kept running, and started at boot
      # user: www-data                    # who the app runs as, and who saves uploads
      # gunicorn:                         # have the unit and its socket managed as well
      #   directory: /srv/myapp
      #   python: /srv/myapp/.venv/bin/python
      #   module: "app:app"
      #   workers: 3
      # flask: {directory: ./app, module: "app:app"}   # for `reconcile doctor` to ask

    locations:
      # Shipped with the app: copied from source at every apply, kept a week by browsers.
      /static/:
        role: static
        dir: /var/www/myapp/static
        source: ./app/static
        # cache: hashed               # for names that hold a hash: a year, never asked again
        # prune: true                 # remove files that source no longer has
        # precompress: [gzip]         # make app.css.gz beside app.css, for nginx to send

      # Uploaded by users: owners and modes are kept right, files are never changed or removed.
      /media/:
        role: media
        dir: /var/www/myapp/media

      # Only for the app to hand out, by X-Accel-Redirect.
      # /protected/: {role: private, dir: /srv/myapp/protected}

    # extra: |                        # further nginx directives for this site
    #   gzip on;

    # probes:                         # asked after every apply, beside the built-in ones
    #   - {get: /static/css/app.css, expect: {status: 200, served_by: nginx}}
    #   - {upload: /upload, field: file, then_get: "/media/{filename}"}

# Who owns what. These two are built in; modes are quoted octal numbers.
# owners:
#   assets:  {user: root,     group: root,     dirs: "0755", files: "0644"}
#   uploads: {user: www-data, group: www-data, dirs: "0755", files: "0644"}

# How long browsers keep what they got. week, day, hashed and none are built in.
# cache_policies:
#   hour: {max_age: 1h, visibility: public}

# Containers whose uploads are served here: `reconcile doctor` looks at their mounts.
# containers:
#   - {compose: ./compose.yaml, service: web, mounts: {/media/: /app/media}}

# Further directories, files and links.
# paths:
#   /etc/myapp/app.env:
#     {owner: {user: root, group: www-data, files: "0640"}, source: ./app.env, sensitive: true}
"""
