"""Nginx's configuration files parsed as nginx does: tokens, directives, includes, scopes."""
