"""The hub: a store served to Hugging Face clients and to browsers.

Duty: the protocol, the page, who may do what. Not its duty: how content is kept (``store``), or the command line.
Invariants: nothing in the store knows of it; what an operator decides lies in the store's state.
"""
