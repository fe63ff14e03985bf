"""What is wrong on a host, with the evidence and the fix: one rule a file, over one inspection."""
