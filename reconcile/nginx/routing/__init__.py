"""Request routing: which server and location answer, from which file, with which headers."""
