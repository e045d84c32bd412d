"""What Prometheus may ask of a daemon."""
