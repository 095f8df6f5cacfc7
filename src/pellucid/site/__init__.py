"""Findings become a folder of static files with the viewer, and the same folder over HTTP."""
