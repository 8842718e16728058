"""Addresses of the page's views.

Duty: the path of every view, percent-encoded. Not its duty: answering there (``routes``).
Invariants: a path never leaves the hub's own prefix; whatever a name contains, it stays inside its own segment.
"""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote, urlencode

from tensorhub.schema.names import RepositoryId, RepoType

_FOLDERS = {RepoType.MODEL: "", RepoType.DATASET: "datasets/", RepoType.SPACE: "spaces/"}
_LISTS = {RepoType.MODEL: "models", RepoType.DATASET: "datasets", RepoType.SPACE: "spaces"}


@dataclass(frozen=True, slots=True)
class Links:
    """Makes addresses below a prefix.

    Attributes
    ----------
    prefix
        Path under which a proxy serves the hub: empty, or like ``/hub``.
    """

    prefix: str = ""

    def home(self, **query: object) -> str:
        """Lead to the first page."""
        return f"{self.prefix}/{_query(query)}"

    def list(self, repo_type: RepoType) -> str:
        """Lead to the list of one type's repositories."""
        return f"{self.prefix}/{_LISTS[repo_type]}"

    def page(self, name: str, **query: object) -> str:
        """Lead to a page of the whole store: ``family``, ``health``, ``login``, ``logout``."""
        return f"{self.prefix}/{name}{_query(query)}"

    def static(self, name: str) -> str:
        """Lead to a static file, by its versioned name."""
        return f"{self.prefix}/-/static/{name}"

    def repository(self, repository: RepositoryId) -> str:
        """Lead to a repository's own page."""
        return f"{self.prefix}/{_FOLDERS[repository.repo_type]}{quote(repository.repo_id, safe='/')}"

    def family(self, repository: RepositoryId, revision: str) -> str:
        """Lead to a repository's family."""
        return self._inside(repository, "family", revision, "")

    def picture(self, repository: RepositoryId, revision: str, path: str) -> str:
        """Lead to a picture's bytes, as a browser shows it."""
        return self._inside(repository, "picture", revision, path)

    def tree(self, repository: RepositoryId, revision: str, path: str = "") -> str:
        """Lead to a folder of a repository."""
        return self._inside(repository, "tree", revision, path)

    def blob(self, repository: RepositoryId, revision: str, path: str, **query: object) -> str:
        """Lead to a file of a repository, shown."""
        return self._inside(repository, "blob", revision, path) + _query(query)

    def tensors(self, repository: RepositoryId, revision: str, **query: object) -> str:
        """Lead to all tensors of a snapshot."""
        return self._inside(repository, "tensors", revision, "") + _query(query)

    def commits(self, repository: RepositoryId, revision: str, **query: object) -> str:
        """Lead to a revision's history."""
        return self._inside(repository, "commits", revision, "") + _query(query)

    def commit(self, repository: RepositoryId, commit_id: str) -> str:
        """Lead to what a commit changed."""
        return self._inside(repository, "commit", commit_id, "")

    def discussions(self, repository: RepositoryId) -> str:
        """Lead to a repository's pull requests and discussions."""
        return f"{self.repository(repository)}/discussions"

    def discussion(self, repository: RepositoryId, num: int) -> str:
        """Lead to one of them."""
        return f"{self.repository(repository)}/discussions/{num}"

    def download(self, repository: RepositoryId, revision: str, path: str) -> str:
        """Lead to a file's bytes."""
        return self._inside(repository, "resolve", revision, path)

    def _inside(self, repository: RepositoryId, view: str, revision: str, path: str) -> str:
        end = f"/{quote(path, safe='/')}" if path else ""
        return f"{self.repository(repository)}/{view}/{quote(revision, safe='')}{end}"


def _query(query: dict[str, object]) -> str:
    given = {key: value for key, value in query.items() if value not in (None, "")}
    return f"?{urlencode(given)}" if given else ""
