"""What a person writes: reconcile.yaml, checked, and expanded into resources."""
