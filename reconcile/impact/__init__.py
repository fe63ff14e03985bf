"""What a plan means for visitors, for other sites and for nginx itself."""
