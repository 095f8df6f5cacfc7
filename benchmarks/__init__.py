"""Speed against the limit, in one run: `make bench`."""
