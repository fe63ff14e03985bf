"""Plans, reports and findings as text, JSON and Markdown. Pure."""
