"""What is minimised: networks and lines, over rows in memory or elsewhere."""
