"""The whole error tree of TensorHub, in one place.

Every failure that a caller can see is one of these classes. A message has four parts: which thing,
what was expected, what was found, what to do; they are fields, and the text is built from them.

::

    TensorHubError                      exit 1    HTTP 500
    ├── UsageError (ValueError)         exit 2    HTTP 400   the request has no meaning
    │   ├── InvalidNameError
    │   │   └── InvalidPathError        (HTTP 422)
    │   ├── UnknownCodecError
    │   ├── UnsupportedDTypeError
    │   ├── ShapeMismatchError
    │   ├── MissingExtraError
    │   ├── MethodError                 (HTTP 405)
    │   ├── RangeNotSatisfiableError    (HTTP 416)
    │   └── GitNotSpokenError           (HTTP 501)
    ├── NotFoundError (LookupError)     exit 10   HTTP 404
    │   ├── StoreNotFoundError
    │   ├── RepositoryNotFoundError
    │   ├── RevisionNotFoundError
    │   ├── FileEntryNotFoundError
    │   ├── TensorNotFoundError
    │   ├── UploadNotFoundError
    │   └── PartialSnapshotError
    ├── ConflictError                   exit 11   HTTP 409
    │   ├── AlreadyExistsError
    │   ├── RevisionMovedError
    │   │   └── ParentMovedError        (HTTP 412)
    │   ├── SourceChangedError
    │   ├── MergeConflictError
    │   └── StoreLockedError            (retryable, HTTP 423)
    ├── FormatError                     exit 12   HTTP 422   bytes from outside break a format's rules
    │   ├── InvalidHeaderError
    │   ├── InvalidRecordError
    │   │   ├── InvalidRequestError     (HTTP 400)
    │   │   ├── LengthRequiredError     (HTTP 411)
    │   │   └── WrongContentError
    │   ├── LimitExceededError
    │   │   ├── BodyTimeoutError        (HTTP 408)
    │   │   ├── BodyTooLargeError       (HTTP 413)
    │   │   └── TargetTooLongError      (HTTP 414)
    │   └── UnsupportedVersionError
    ├── IntegrityError                  exit 13   HTTP 500   our stored bytes are not what they claim
    │   ├── DigestMismatchError
    │   ├── CorruptPackError
    │   ├── CorruptIndexError
    │   ├── CorruptStateError
    │   ├── MissingBlobError
    │   └── MissingBaseError
    ├── BackendError                    exit 14   HTTP 502   disk or network
    │   ├── BackendUnavailableError     (retryable)
    │   │   └── StoppedError            (retryable)
    │   ├── BackendPermissionError
    │   └── OutOfSpaceError             (HTTP 507)
    ├── CapacityError                   exit 15   HTTP 503   a bounded resource is full; retryable
    │   ├── QueueFullError              (retryable)
    │   ├── NotReadyError               (retryable)
    │   │   └── RevisionNotReadyError   (retryable)
    │   └── RateLimitedError            (retryable, HTTP 429)
    │       └── TooManyRequestsError    (retryable, HTTP 429)
    ├── AccessError                     exit 16   HTTP 403   who asks may not
    │   ├── AuthenticationError         (HTTP 401)
    │   └── ForbiddenError
    │       └── GatedRepositoryError
    └── InvariantError                  exit 70   HTTP 500   a bug in TensorHub

Invariants: exit codes are unique per branch; every class survives pickling; nothing here imports
another room.
"""

from __future__ import annotations

import errno
from typing import Any, ClassVar


class TensorHubError(Exception):
    """Root of every failure that TensorHub reports.

    Parameters
    ----------
    thing
        What the failure is about, for people: ``"repository 'a/b'"``, ``"pack 12ab…"``.
    expected
        What should have been there.
    found
        What was there instead.
    action
        What the reader can do about it.
    digest, pack, path
        The blob, pack or path concerned, where there is one.
    offset
        Byte offset inside that pack or file.

    Attributes
    ----------
    exit_code
        Exit code of the command line for this branch.
    http_status
        Status that a hub answers with.
    error_code
        Value of the ``X-Error-Code`` header that Hugging Face clients read, if one fits.
    retryable
        Whether the same call may succeed a little later.
    """

    exit_code: ClassVar[int] = 1
    http_status: ClassVar[int] = 500
    error_code: ClassVar[str | None] = None
    default_retryable: ClassVar[bool] = False

    def __init__(
        self,
        thing: str,
        *,
        expected: str | None = None,
        found: str | None = None,
        action: str | None = None,
        digest: str | None = None,
        pack: str | None = None,
        path: str | None = None,
        offset: int | None = None,
        retryable: bool | None = None,
    ) -> None:
        self.thing = thing
        self.expected = expected
        self.found = found
        self.action = action
        self.digest = digest
        self.pack = pack
        self.path = path
        self.offset = offset
        self.retryable = self.default_retryable if retryable is None else retryable
        super().__init__(thing)

    def __str__(self) -> str:
        parts = [self.thing]
        if self.expected is not None:
            parts.append(f"expected {self.expected}")
        if self.found is not None:
            parts.append(f"found {self.found}")
        text = ": ".join([parts[0], ", ".join(parts[1:])]) if len(parts) > 1 else parts[0]
        return f"{text}. {self.action}" if self.action else text

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (type(self), self.to_dict(with_class=False))

    def to_dict(self, *, with_class: bool = True) -> dict[str, Any]:
        """Give the fields as a JSON-ready mapping.

        Parameters
        ----------
        with_class
            Add ``error`` (the class name) and ``exit_code``.

        Returns
        -------
        dict
            Every constructor field; absent ones are None.
        """
        fields: dict[str, Any] = {
            "thing": self.thing,
            "expected": self.expected,
            "found": self.found,
            "action": self.action,
            "digest": self.digest,
            "pack": self.pack,
            "path": self.path,
            "offset": self.offset,
            "retryable": self.retryable,
        }
        if with_class:
            fields = {
                "error": type(self).__name__,
                "exit_code": self.exit_code,
                "message": str(self),
                **fields,
            }
        return fields


def _rebuild(cls: type[TensorHubError], fields: dict[str, Any]) -> TensorHubError:
    thing = fields.pop("thing")
    return cls(thing, **fields)


class UsageError(TensorHubError, ValueError):
    """The caller asked for something that has no meaning."""

    exit_code = 2
    http_status = 400


class InvalidNameError(UsageError):
    """A repository id, revision or path breaks the naming rules."""


class InvalidPathError(InvalidNameError):
    """A path that no commit may make; clients look for status 422."""

    http_status = 422


class UnknownCodecError(UsageError):
    """No codec or predictor is registered under this id or name."""


class UnsupportedDTypeError(UsageError):
    """The element type has no meaning here."""


class ShapeMismatchError(UsageError):
    """Two arrays that must have equal sizes do not."""


class MissingExtraError(UsageError):
    """An optional dependency is not installed."""


class RangeNotSatisfiableError(UsageError):
    """A range begins after the end of the file."""

    http_status = 416


class MethodError(UsageError):
    """The path exists, but not for this method."""

    http_status = 405


class GitNotSpokenError(UsageError):
    """Git asks for a repository; the hub speaks the clients' protocol only."""

    http_status = 501


class NotFoundError(TensorHubError, LookupError):
    """What was asked for does not exist."""

    exit_code = 10
    http_status = 404


class StoreNotFoundError(NotFoundError):
    """There is no store at this place."""


class RepositoryNotFoundError(NotFoundError):
    """The store has no such repository."""

    error_code = "RepoNotFound"


class RevisionNotFoundError(NotFoundError):
    """The repository has no such branch, tag or commit."""

    error_code = "RevisionNotFound"


class FileEntryNotFoundError(NotFoundError):
    """The snapshot has no file at this path."""

    error_code = "EntryNotFound"


class TensorNotFoundError(NotFoundError):
    """The file or snapshot has no tensor of this name."""


class UploadNotFoundError(NotFoundError):
    """Nobody uploaded this content, or it waited too long for a commit."""


class PartialSnapshotError(NotFoundError):
    """The path is not here, but may exist where the revision was imported from: no client may take it for absent."""


class ConflictError(TensorHubError):
    """The present state forbids the change."""

    exit_code = 11
    http_status = 409


class AlreadyExistsError(ConflictError):
    """Something of this name exists already."""


class RevisionMovedError(ConflictError):
    """Another writer moved the ref first; the compare-and-swap was lost."""


class ParentMovedError(RevisionMovedError):
    """The branch is not where the request says; clients look for status 412."""

    http_status = 412


class SourceChangedError(ConflictError):
    """A file changed while it was being added."""


class StoreLockedError(ConflictError):
    """Another process holds the lock that this step needs."""

    http_status = 423
    default_retryable = True


class MergeConflictError(ConflictError):
    """Both sides changed the same paths."""


class FormatError(TensorHubError):
    """Bytes from outside break the rules of their format."""

    exit_code = 12
    http_status = 422


class InvalidHeaderError(FormatError):
    """A header cannot be parsed."""


class InvalidRecordError(FormatError):
    """A record or argument from outside is malformed."""


class WrongContentError(InvalidRecordError):
    """What another hub sent is not what it said that it would."""


class InvalidRequestError(InvalidRecordError):
    """A request's body, or what it belongs to, has no meaning; clients look for status 400."""

    http_status = 400


class LengthRequiredError(InvalidRecordError):
    """A body came without its length."""

    http_status = 411


class LimitExceededError(FormatError):
    """A size in the input exceeds what is accepted."""


class BodyTooLargeError(LimitExceededError):
    """A request body is longer than the server takes."""

    http_status = 413


class TargetTooLongError(LimitExceededError):
    """A request's path is longer than the server takes."""

    http_status = 414


class BodyTimeoutError(LimitExceededError):
    """A request body comes too slowly."""

    http_status = 408


class UnsupportedVersionError(FormatError):
    """The data was written by a newer or unknown version."""


class IntegrityError(TensorHubError):
    """Our own stored bytes are not what they claim to be."""

    exit_code = 13
    http_status = 500


class DigestMismatchError(IntegrityError):
    """Decoded bytes do not have the digest or checksum that names them."""


class CorruptPackError(IntegrityError):
    """A pack's structure or a coded chunk in it is damaged."""


class CorruptIndexError(IntegrityError):
    """The catalogue is damaged; it can be rebuilt."""


class CorruptStateError(IntegrityError):
    """What an operator decided is damaged; only a backup brings it back."""


class MissingBlobError(IntegrityError):
    """A blob, record or pack that something live names is not in the store."""


class MissingBaseError(IntegrityError):
    """The base that a delta leans on is not in the store."""


class BackendError(TensorHubError):
    """Disk or network failed."""

    exit_code = 14
    http_status = 502


class BackendUnavailableError(BackendError):
    """The backend does not answer now."""

    default_retryable = True


class StoppedError(BackendUnavailableError):
    """A download was told to stop; what came is kept for the next time."""


class BackendPermissionError(BackendError):
    """The system forbids the access, or the disk is read-only."""


class OutOfSpaceError(BackendError):
    """The disk or quota is full."""

    http_status = 507


class CapacityError(TensorHubError):
    """A bounded resource is full; the same request works a little later.

    Attributes
    ----------
    retry_after_s
        When to try again, in seconds.
    """

    exit_code = 15
    http_status = 503
    default_retryable = True
    retry_after_s: int = 5


class QueueFullError(CapacityError):
    """More requests wait than the server lets wait."""


class NotReadyError(CapacityError):
    """What was asked for is still being prepared in the background."""

    retry_after_s = 10


class RevisionNotReadyError(NotReadyError):
    """SHA-256 digests of a revision's files are still being computed."""


class RateLimitedError(CapacityError):
    """One caller asked too often."""

    http_status = 429
    retry_after_s = 60


class TooManyRequestsError(RateLimitedError):
    """One caller asked too often, or for too much at a time.

    Attributes
    ----------
    headers
        That tell him when to come again.
    """

    headers: dict[str, str]


class AccessError(TensorHubError):
    """Who asks may not do this."""

    exit_code = 16
    http_status = 403


class AuthenticationError(AccessError):
    """Nobody known asks: a token, signature or password is missing, wrong or expired."""

    http_status = 401


class ForbiddenError(AccessError):
    """Who asks is known, and may not."""


class GatedRepositoryError(ForbiddenError):
    """Readers of the repository must be let in first."""

    error_code = "GatedRepo"


class InvariantError(TensorHubError):
    """TensorHub broke one of its own rules: a bug, please report it."""

    exit_code = 70


def from_os_error(error: OSError, thing: str) -> TensorHubError:
    """Translate an operating system error into the tree.

    Parameters
    ----------
    error
        What the system raised.
    thing
        What was being done, for people.

    Returns
    -------
    TensorHubError
        To be raised ``from`` the original.
    """
    found = error.strerror or str(error)
    path = str(error.filename) if error.filename is not None else None
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return OutOfSpaceError(
            thing,
            expected="free space",
            found=found,
            path=path,
            action="Free some space and run the same command again; nothing already kept is lost.",
        )
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return BackendPermissionError(
            thing,
            expected="permission to do this",
            found=found,
            path=path,
            action="Check the owner and mode of the path, and whether it is mounted read-only.",
        )
    if error.errno in (errno.ENOENT, errno.ENOTDIR):
        return NotFoundError(
            thing, expected="an existing path", found=found, path=path, action="Check the path."
        )
    return BackendError(
        thing,
        expected="the system call to succeed",
        found=found,
        path=path,
        action="Check the disk, then try again.",
    )
