"""The types of the file's values: how each is parsed, and its JSON Schema."""
