"""The store: packs, catalogue, refs, transactions, reading, verify, gc.

Duty: keep every tensor once and give every byte back. Not its duty: talking to people (``cli``) or networks.
"""
