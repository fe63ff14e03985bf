"""The way of a request: which server and location answer it, from which file, with what."""
