"""One file a rule; each has a `RULE`."""
