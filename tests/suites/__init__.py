"""Runs other projects' own test suites against ours; README.md says how."""
