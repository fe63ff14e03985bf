"""Adoption: an existing host, read into a reconcile.yaml whose plan shows no changes."""
