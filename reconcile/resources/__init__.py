"""One file a resource kind: what it is, how it is read, put and removed."""
