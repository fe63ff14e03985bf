"""What a person writes, one concept a file."""
