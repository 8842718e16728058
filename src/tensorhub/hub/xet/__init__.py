"""Xet: the chunk protocol by which current Hugging Face clients upload, and may download.

Duty: its formats (hashes, xorbs, shards), what clients remember of earlier uploads, and its endpoints.
Not its duty: keeping content, which is the store's; chunks and xorbs are only how bytes travel.
"""
