"""``callbridgectl setup``: from an installed package to a Call Bridge that can be started."""
