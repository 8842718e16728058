"""A reader without users may see everything."""

from tensorhub.hub.pages.reader import OWNER
from tensorhub.schema.names import parse_repository


def test_owner() -> None:
    """He reads whatever there is, and is an administrator."""
    assert OWNER.is_admin
    assert OWNER.may_read(parse_repository("anybody/anything"))
