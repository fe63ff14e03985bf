"""A site: one file per concept, with its model, its checks, its resources and its probes."""
