"""``callbridgectl check``: walks the steps as the daemon does, and says what is found at each."""
