"""What runs, sessions and agents are and what may be done with them. Knows no wire format, driver or framework."""
