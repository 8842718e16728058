"""Every route that reads, in the order in which they are tried.

Duty: join them. Not its duty: any answer.
Invariants: a repository's information comes last, since its pattern fits ``/api/models/name/refs`` as well.
"""

from __future__ import annotations

from tensorhub.hub import (
    api_account,
    api_card,
    api_history,
    api_info,
    api_lfs_files,
    api_list,
    api_raw,
    api_safetensors,
    api_side_calls,
    api_tree,
)
from tensorhub.hub.routes import Route

ROUTES: list[Route] = [
    *api_side_calls.ROUTES,
    *api_raw.ROUTES,
    *api_account.ROUTES,
    *api_card.ROUTES,
    *api_tree.ROUTES,
    *api_history.ROUTES,
    *api_lfs_files.ROUTES,
    *api_safetensors.ROUTES,
    *api_list.ROUTES,
    *api_info.ROUTES,
]
