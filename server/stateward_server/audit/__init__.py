"""Who did what to an organisation: written down before it takes effect."""
