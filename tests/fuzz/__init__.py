"""Coverage-guided fuzzing of what peers can reach: ``tox run -e fuzz -- TARGET SECONDS``."""
