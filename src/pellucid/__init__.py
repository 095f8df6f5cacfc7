"""See what a vision network has learned."""
