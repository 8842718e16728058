"""The command line ``tensorhub``: parse, one library call, print.

Duty: turn arguments into calls of the public API, and results and errors into text, JSON and exit codes.
Not its duty: any decision about what is stored; the same answers come from ``import tensorhub``.
Invariants: one command per module; results go to stdout, everything else to stderr; with ``--json``
stdout holds exactly one JSON document; exit codes come from the error tree.
"""

from tensorhub.cli.app import main

__all__ = ["main"]
