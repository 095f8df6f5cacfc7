"""Layout and pictures to an activation atlas."""
