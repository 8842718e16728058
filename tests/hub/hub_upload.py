"""huggingface_hub in a process of its own, with its default settings: ``hub_upload.py FOLDER [REPOSITORY]``."""

import sys

from huggingface_hub import HfApi

folder, *rest = sys.argv[1:]
repository = rest[0] if rest else "org/model"
api = HfApi()
api.create_repo(repository, exist_ok=True)
api.upload_folder(repo_id=repository, folder_path=folder)
