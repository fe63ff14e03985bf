"""What an app says of itself: its code is imported, confined, and asked for its settings."""
