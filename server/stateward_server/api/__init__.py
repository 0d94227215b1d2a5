"""The gRPC edge: one servicer per service, the edge around them, and the border to generated code."""
