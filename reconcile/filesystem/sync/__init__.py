"""A source folder and its copy: what differs, and how the copy is made true."""
