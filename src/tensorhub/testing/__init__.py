"""Conformance suites for people who write codecs and formats of their own."""
