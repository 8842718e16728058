"""Predictors and residual codecs: how a chunk becomes fewer bytes, and comes back.

Duty: the interfaces, the registry of ids, the codecs, and the planner that picks the smallest.
Not its duty: where chunks come from or lie. Knows neither files nor packs.
"""
