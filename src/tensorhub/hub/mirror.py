"""The mirror: what is missing here is fetched from another hub when somebody asks for it.

Duty: decide when the other hub is asked, what may be fetched for whom, and run the fetches in the background. Not its
duty: fetching (``fetching``), or answering (``resolve``, ``arriving``).
Invariants: what was made here is never touched, and a name that is taken here never leads elsewhere; the rights of
the upstream token go to nobody: what the other hub hides from strangers is private here, and never fetched into a
repository that is shown; when the other hub does not answer, what is here is served as if it had said nothing new.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from enum import Enum
from typing import TYPE_CHECKING

from tensorhub.errors import (
    AccessError,
    BackendError,
    BackendUnavailableError,
    NotFoundError,
    NotReadyError,
    RepositoryNotFoundError,
    TensorHubError,
)
from tensorhub.hub.access import ANONYMOUS, Identity, Visibility, can_read, can_read_files
from tensorhub.hub.fetch_plan import plan_fetch
from tensorhub.hub.fetching import Fetch
from tensorhub.hub.upstream import Upstream, UpstreamRevision
from tensorhub.schema.names import RepositoryId
from tensorhub.schema.records import CommitReference

if TYPE_CHECKING:
    from tensorhub.hub.hub import Hub
    from tensorhub.hub.request import HubRequest

_LOG = logging.getLogger("tensorhub.hub")
# A branch is asked for again after this long; a client that says `Cache-Control: no-cache` shortens it to _FORCED_S.
FRESH_S = 300.0
_FORCED_S = 5.0
_ABSENT_S = 60.0  # what the other hub does not have is not asked for again so soon
_OURS_S = 10.0
_DOWN_S = 15.0  # after a failure the other hub is left alone, so that nobody waits for it at each request
_RETRY_S = 30.0  # after a fetch that did not come to its end
_PATIENCE_S = 8.0  # clients give up on a HEAD after 10 s
_SHORT_PATIENCE_S = 2.0  # where something is here that can be served instead
_REMEMBERED = 10_000
_JOBS = 2  # fetches at a time; what a client waits for does not wait for its turn
_TRIES = 2  # while somebody waits


class Outcome(Enum):
    """What came of asking, as the time for which it holds."""

    HERE = FRESH_S
    ABSENT = _ABSENT_S
    OURS = _OURS_S
    STALE = _DOWN_S
    HIDDEN = 0.0


class Mirror:
    """Fetches for one hub from another one. Close it at the end.

    Parameters
    ----------
    hub
        Whose.
    upstream
        The other one.
    now_s
        The clock, in seconds; monotonic.

    Attributes
    ----------
    fetched_files, fetched_nbytes, failed_files
        Of fetches that ended.
    """

    def __init__(self, hub: Hub, upstream: Upstream, now_s: Callable[[], float] = time.monotonic) -> None:
        self._hub = hub
        self.upstream = upstream
        self._now_s = now_s
        self._holds_until: OrderedDict[tuple[object, ...], tuple[float, float]] = OrderedDict()
        self._flights: dict[tuple[object, ...], asyncio.Task[Outcome]] = {}
        self._fetches: dict[tuple[tuple[str, str], str], Fetch] = {}
        self._retry_at_s: dict[tuple[tuple[str, str], str], float] = {}
        self._down_until_s = float("-inf")
        self._lock = threading.Lock()  # the four above
        self._beginning = (
            threading.Lock()
        )  # one fetch begins at a time: it is short, and must see those before
        self._jobs = ThreadPoolExecutor(_JOBS, thread_name_prefix="hub-mirror")
        self.fetched_files = 0
        self.fetched_nbytes = 0
        self.failed_files = 0

    def close(self) -> None:
        """Stop fetches; what came is kept."""
        for fetch in self.running():
            fetch.stop()
        self._jobs.shutdown(wait=True, cancel_futures=True)
        self.upstream.close()

    @property
    def is_down(self) -> bool:
        """Whether the other hub did not answer a moment ago."""
        return self._now_s() < self._down_until_s

    def running(self) -> list[Fetch]:
        """Give the fetches that are not at their end."""
        with self._lock:
            return [fetch for fetch in self._fetches.values() if not fetch.is_stopped]

    def fetches_of(self, repository: RepositoryId) -> list[Fetch]:
        """Give the fetches of a repository whose commits are not whole yet.

        To be asked for before the commit itself is looked at: a fetch that comes to its end in between shows
        the same as the commit.
        """
        with self._lock:
            return [fetch for (key, _), fetch in self._fetches.items() if key == repository.key]

    # -- asking -------------------------------------------------------------------------------------------------

    async def prepare(self, request: HubRequest, pattern: str) -> None:
        """Bring in what a request is about, as far as it can be known at once; its files follow.

        Raises
        ------
        BackendUnavailableError
            It is not here, and the other hub does not answer.
        NotReadyError
            That takes longer than a client waits; asked again, it is further.
        """
        if not concerns(request.raw.method, pattern):
            return
        try:
            asked = request.repository
        except RepositoryNotFoundError:
            return
        revision = request.params.get("rev") or "main"
        key = (asked.key, revision, request.identity.user)
        is_forced = "no-cache" in request.headers.get("cache-control", "").lower()
        if self._holds(key, is_forced):
            return
        flight = self._flights.get(key)
        if flight is None:
            flight = asyncio.ensure_future(
                self._hub.network.run(self._ask, asked, revision, request.identity)
            )
            self._flights[key] = flight
            flight.add_done_callback(lambda done: self._landed(key, done))
        has_some = await self._hub.meta.run(self._has_some, asked, revision)
        done, _ = await asyncio.wait({flight}, timeout=_SHORT_PATIENCE_S if has_some else _PATIENCE_S)
        if not done and has_some:  # the other hub hangs; nobody else is to wait for it
            self._hold(key, Outcome.STALE)
            return
        if not done:
            raise NotReadyError(
                f"{asked} at {revision}",
                expected="its list of files from the other hub",
                found="a part of it",
                action="Try again in a while.",
            )
        flight.result()

    def _holds(self, key: tuple[object, ...], is_forced: bool) -> bool:
        with self._lock:
            asked_at_s, until_s = self._holds_until.get(key, (0.0, 0.0))
        now = self._now_s()
        return now < (min(until_s, asked_at_s + _FORCED_S) if is_forced else until_s)

    def _landed(self, key: tuple[object, ...], flight: asyncio.Task[Outcome]) -> None:
        self._flights.pop(key, None)
        if not flight.cancelled() and flight.exception() is None:
            self._hold(key, flight.result())

    def _hold(self, key: tuple[object, ...], outcome: Outcome) -> None:
        """Remember what came of asking, for as long as that holds."""
        now = self._now_s()
        with self._lock:
            self._holds_until[key] = (now, now + outcome.value)
            self._holds_until.move_to_end(key)
            while len(self._holds_until) > _REMEMBERED:
                self._holds_until.popitem(last=False)

    def _ask(self, asked: RepositoryId, revision: str, identity: Identity) -> Outcome:
        """Find out whether there is anything to fetch, and begin; runs in a thread."""
        local = self._find_local(asked)
        reference = self._resolve(local, revision) if local is not None else None
        if local is not None:
            if not self._hub.can_read(identity, local):
                return Outcome.HIDDEN
            settled = self._settle(local, reference, revision)
            if settled is not None:
                return settled
        elif identity.is_anonymous and not self._hub.config.allows_anonymous_read:
            return Outcome.HIDDEN
        try:
            found = self._look(asked if local is None else local, revision)
        except (NotFoundError, AccessError):
            return Outcome.HERE if reference is not None else Outcome.ABSENT
        except BackendError:
            if reference is not None:
                return Outcome.STALE
            raise
        return self._bring(asked, local, revision, reference, found, identity)

    def _find_local(self, asked: RepositoryId) -> RepositoryId | None:
        refs = self._hub.store.ref_store
        renamed = self._hub.repositories.follow(asked)
        return refs.find_repository(asked) or (refs.find_repository(renamed) if renamed else None)

    def _resolve(self, repository: RepositoryId, revision: str) -> CommitReference | None:
        try:
            return self._hub.store.snapshots.resolve(repository, revision)
        except NotFoundError:
            return None

    def _has_some(self, asked: RepositoryId, revision: str) -> bool:
        local = self._find_local(asked)
        return local is not None and self._resolve(local, revision) is not None

    def _settle(
        self, local: RepositoryId, reference: CommitReference | None, revision: str
    ) -> Outcome | None:
        """Decide by what is here alone; None where the other hub must be asked."""
        if reference is None:
            return None if self._is_mirrored(local) else Outcome.OURS
        commit = self._hub.store.snapshots.commit(reference.digest)
        if commit.origin != self.upstream.url:
            return Outcome.OURS
        with self._lock:
            fetch = self._fetches.get((local.key, reference.commit_id))
            retry_at_s = self._retry_at_s.get((local.key, reference.commit_id), 0.0)
        is_id = reference.commit_id.startswith(revision)
        if is_id and not commit.is_partial:
            return Outcome.HERE
        if is_id and fetch is not None and (not fetch.is_stopped or self._now_s() < retry_at_s):
            return Outcome.STALE
        return None

    def _is_mirrored(self, repository: RepositoryId) -> bool:
        store = self._hub.store
        references = store.ref_store.list(repository).values()
        return any(store.snapshots.commit(item.digest).origin == self.upstream.url for item in references)

    def _look(self, repository: RepositoryId, revision: str) -> UpstreamRevision:
        if self.is_down:
            raise BackendUnavailableError(
                f"other hub at {self.upstream.url}",
                expected="an answer",
                found="none a moment ago",
                action="Try again in a while.",
            )
        try:
            return self.upstream.revision(repository, revision, tries=_TRIES)
        except BackendError as error:
            self._down_until_s = self._now_s() + _DOWN_S
            _LOG.warning("mirror: %s", error)
            raise

    # -- bringing -----------------------------------------------------------------------------------------------

    def _bring(
        self,
        asked: RepositoryId,
        local: RepositoryId | None,
        revision: str,
        reference: CommitReference | None,
        found: UpstreamRevision,
        identity: Identity,
    ) -> Outcome:
        """Begin to fetch what was found, if it may be fetched and is not here."""
        if local is None:
            if not found.is_public and not can_read(
                identity, found.repository, None, anonymous_read=self._hub.config.allows_anonymous_read
            ):
                return Outcome.HIDDEN
            taken = self._find_local(found.repository)
            if taken is not None and not self._is_mirrored(taken):
                return Outcome.OURS
            local = taken or self._make(found)
            if asked.key != local.key:
                self._hub.repositories.lead(asked, local)
        row = self._hub.repositories.row(local)
        if not found.is_public and row is not None and row.visibility is Visibility.PUBLIC:
            _LOG.warning("mirror: %s is no longer public there; what is here stays as it is", local)
            return Outcome.HERE if reference is not None else Outcome.ABSENT
        is_whole = reference is not None and not self._hub.store.snapshots.commit(reference.digest).is_partial
        if reference is not None and reference.commit_id == found.commit_id and is_whole:
            return Outcome.HERE
        with self._beginning:
            return self._begin(local, revision, found)

    def _make(self, found: UpstreamRevision) -> RepositoryId:
        """Make a repository for what the other hub has; nobody sees it before its visibility is settled."""
        visibility = Visibility.PUBLIC if found.is_public else Visibility.PRIVATE
        self._hub.repositories.put(found.repository, visibility=visibility)
        return self._hub.store.create_repository(found.repository)

    def _begin(self, local: RepositoryId, revision: str, found: UpstreamRevision) -> Outcome:
        key = (local.key, found.commit_id)
        with self._lock:
            present = self._fetches.get(key)
            if present is not None and (
                not present.is_stopped or self._now_s() < self._retry_at_s.get(key, 0.0)
            ):
                return Outcome.STALE
        plan = plan_fetch(self.upstream, found, revision)
        fetch = Fetch(
            self._hub.store,
            self.upstream,
            local,
            plan,
            may_link=lambda other: other.key == local.key or self._is_open(other),
            workers=self._hub.config.workers,
        )
        fetch.begin()
        if fetch.is_complete:
            with self._lock:
                self._fetches.pop(key, None)
            return Outcome.HERE
        with self._lock:
            self._fetches[key] = fetch
        _LOG.info("mirror: fetching %s at %s, %d files", local, found.commit_id, fetch.counts.left_files)
        self._jobs.submit(self._run, key, fetch)
        return Outcome.HERE

    def _is_open(self, other: RepositoryId) -> bool:
        """Say whether everybody may read the files of a repository."""
        if not self._hub.accounts.has_users():
            return True
        return can_read_files(ANONYMOUS, other, self._hub.repositories.row(other), anonymous_read=True)

    def _run(self, key: tuple[tuple[str, str], str], fetch: Fetch) -> None:
        """Run a fetch to its end; runs in a thread."""
        try:
            fetch.run()
        except TensorHubError as error:
            _LOG.error("mirror: %s: %s", fetch.repository, error)
        except Exception:  # noqa: BLE001 - the last door of a thread: a bug, logged as one
            _LOG.exception("mirror: %s failed", fetch.repository)
        for path, failure in list(fetch.failures.items())[:5]:
            _LOG.warning("mirror: %s: %s: %s", fetch.repository, path, failure)
        with self._lock:
            self.fetched_files += fetch.counts.fetched_files
            self.fetched_nbytes += fetch.counts.fetched_nbytes
            self.failed_files += len(fetch.failures)
            if fetch.is_complete:
                self._fetches.pop(key, None)
                self._retry_at_s.pop(key, None)
                return
            # What is missing stays in view, and is tried again when somebody asks for it.
            self._retry_at_s[key] = self._now_s() + _RETRY_S
            now = self._now_s()
            for asked, (at_s, until_s) in self._holds_until.items():
                if asked[0] == key[0]:
                    self._holds_until[asked] = (at_s, min(until_s, now + _RETRY_S))


def concerns(method: str, pattern: str) -> bool:
    """Say whether a request is one for which something is fetched: programs that read a repository's content.

    Pages are not: whoever follows links through them must not fill the disk.
    """
    if "write" in pattern:  # a token for uploads is asked for with GET
        return False
    is_read = method in ("GET", "HEAD") or (method == "POST" and "/paths-info/" in pattern)
    return is_read and pattern.startswith(("/api/{T}/{repo}", "/{P}{repo}/resolve/", "/{P}{repo}/raw/"))
