"""Configuration files read as nginx reads them: bytes to tokens, directives, includes, levels."""
