"""The twelve steps on real daemons, for people: see ``./demo.sh``."""
