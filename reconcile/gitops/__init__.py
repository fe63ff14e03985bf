"""What runs while nobody looks: saved plans, drift checks, schedules, pulls."""
