"""huggingface_hub in a process of its own, with a smaller limit for plain downloads.

Usage: ``hub_download.py FILE FOLDER``.
"""

import sys

from huggingface_hub import constants, hf_hub_download

constants.MAX_HTTP_DOWNLOAD_SIZE = 1_000_000
path, folder = sys.argv[1:]
hf_hub_download("org/model", path, local_dir=folder)
