"""The domain in plain words: frozen data and errors, no I/O, imports nothing of ours."""
