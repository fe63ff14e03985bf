"""The page: one static HTML file of what is known about one or many hosts."""
