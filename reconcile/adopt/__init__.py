"""A host that was set up by hand, read into a reconcile.yaml that changes nothing on it."""
