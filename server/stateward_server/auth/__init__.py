"""Who is calling: bearer tokens become a Principal. Denies by default; never logs a secret."""
