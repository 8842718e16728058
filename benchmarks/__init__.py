"""Measurements: each module is run with ``python -m`` and writes a JSON record into ``records``."""
