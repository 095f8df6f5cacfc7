"""Speed and memory beside the limit and beside Lucent and Horama, in one run: `make bench`."""
