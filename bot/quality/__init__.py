"""Measures shared by evaluation and gate: what was found, what was said, and whether it stands in the documents."""
