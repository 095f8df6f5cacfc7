"""Activations to findings; each file stands alone."""
