"""Many hosts from one: their inventory, the order of a rollout, and its record."""
