"""The HTTP edge: health for load balancers and orchestrators."""
