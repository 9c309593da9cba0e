"""The driver's errors become `MeshError`s here: a store that is away is UNAVAILABLE, and nothing was acknowledged.

Violated constraints are not mapped: what they mean is known to the store alone, by the constraint's name.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import asyncpg

from meshkit.errors import Unavailable

__all__ = ["driver_errors"]

_RETRY_SECONDS = 1.0

_AWAY = (
    asyncpg.PostgresConnectionError,  # class 08, and connections that broke
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.CannotConnectNowError,
    asyncpg.TooManyConnectionsError,
    asyncpg.InternalClientError,
    ConnectionError,
    OSError,
)
# These ask for the very same transaction once more.
_AGAIN = (
    asyncpg.SerializationError,
    asyncpg.DeadlockDetectedError,
    asyncpg.LockNotAvailableError,
    asyncpg.InvalidCachedStatementError,  # a migration of a newer process changed a table under a prepared statement
)


@contextmanager
def driver_errors() -> Iterator[None]:
    """Raise Unavailable instead of the driver's errors that mean: not now."""
    try:
        yield
    except TimeoutError as error:  # a subclass of OSError, but worth its own words
        raise Unavailable("the database did not answer in time", retry_after=_RETRY_SECONDS) from error
    except _AWAY as error:
        raise Unavailable("the database does not answer", retry_after=_RETRY_SECONDS) from error
    except _AGAIN as error:
        raise Unavailable("the database asks to try again", retry_after=0.1) from error
    except asyncpg.InterfaceError as error:
        if "closed" not in str(error) and "closing" not in str(error):
            raise  # misuse of the driver: a defect of ours
        raise Unavailable("the database connection was lost", retry_after=_RETRY_SECONDS) from error
