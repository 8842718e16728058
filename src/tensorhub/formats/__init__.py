"""Other people's files: how each is cut into segments, and where model folders keep them.

Duty: parse safetensors, folders, Hugging Face caches and model cards. What is not understood is bytes.
Not its duty: storing anything.
"""
