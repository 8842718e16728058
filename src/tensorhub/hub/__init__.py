"""The hub: a server that speaks the Hugging Face protocol over a store.

Duty: who may do what, and later everything that a client asks. Not its duty: keeping anything but the state.
Invariants: importing this room, its accounts and its rules needs no package of the extra ``hub``.
"""
