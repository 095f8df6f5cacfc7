"""Every figure of Feature Visualization, made for any network, with what was measured beside what is claimed."""
