"""The values a person writes: each is checked for the place it goes to, and told what is wrong."""
