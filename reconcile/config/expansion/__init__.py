"""The meaning of the file: what has to be on the host, and what the host has to answer. Pure."""
