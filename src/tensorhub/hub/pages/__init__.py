"""The web page of the hub: what a person sees in a browser.

Duty: server-rendered views over a store. Not its duty: the Hugging Face protocol (``api_*``), or changing anything:
the page only reads. View models are pure functions from the store to frozen values; drawings are pure functions from
numbers to geometry; templates only write both down, and escape everything.
"""
