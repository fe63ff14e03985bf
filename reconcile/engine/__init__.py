"""Plan and apply, for resources of any kind. Knows no nginx and no YAML."""
