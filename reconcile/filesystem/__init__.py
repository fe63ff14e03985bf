"""Files of this machine, reached by descriptor: read, compared, changed and put back."""
