"""What memory is and how it is searched. Knows no wire format, driver or model."""
