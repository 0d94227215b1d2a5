"""The gRPC edge: one servicer per service, the interceptor around them, and the border to generated code."""
