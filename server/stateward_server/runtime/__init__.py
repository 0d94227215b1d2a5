"""Machine hosts: the processes that run user code, and the pool that owns them."""
