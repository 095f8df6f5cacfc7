"""Pictures to activations on disk."""
