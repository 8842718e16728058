"""Frozen values that every room shares: digests, dtypes, names, segments, records.

Duty: the words of the design as types, and the wire forms that fix bytes on disk.
Not its duty: any input or output. Imports only ``tensorhub.errors``.
"""
