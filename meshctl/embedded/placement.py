"""Where an embedded Postgres lies and as whom it runs: it refuses to be root, so under root it must be somebody else.

Owns the choice of the account, of the data's home and of readable programs.

    an ordinary user    runs as that user       STATE/postgres/home/
    root                runs as `nobody`        STATE/postgres/home/, or where `nobody` cannot get there (a project
                                                below /root), a link there to /var/lib/agentmesh/<random>/

The link is the only record: it moves with the state directory, and a deleted state directory never meets its old data
again. That data stays until somebody deletes it; `belongs-to` beside it names the state directory. The home belongs to
whoever runs the mesh; only `data` inside it belongs to the account.
"""

import hashlib
import os
import pwd
import secrets
import shutil
from dataclasses import dataclass
from pathlib import Path

from meshctl.embedded.process import Account
from meshkit.errors import FailedPrecondition

__all__ = ["Placement", "place"]

_OUTSIDE = Path("/var/lib/agentmesh")


@dataclass(frozen=True, slots=True)
class Placement:
    """Where everything of one Postgres lies. `account` is None when it runs as the caller."""

    programs: Path
    home: Path
    account: Account | None

    @property
    def data(self) -> Path:
        """The data directory; it may not exist yet."""
        return self.home / "data"


def place(state: Path, programs: Path, *, outside: Path = _OUTSIDE) -> Placement:
    """Choose, and make the home. `state` is Postgres's own directory below the state directory; it exists.

    Raises FailedPrecondition if existing data cannot be used by this user, or not be reached by its account.
    """
    home = state / "home"
    if os.geteuid() != 0:
        home.mkdir(mode=0o700, exist_ok=True)
        owner = (home / "data").stat().st_uid if (home / "data").exists() else home.stat().st_uid
        if owner != os.geteuid():
            raise FailedPrecondition(
                f"the data in {home} belongs to user id {owner}: run the mesh as that user or root"
            )
        return Placement(programs, home.resolve(), None)

    account = _account(home / "data")
    if not home.exists():
        _make_home(home, account, outside)
    home = home.resolve()
    if not _can_enter(home, account):
        raise FailedPrecondition(
            f"Postgres runs as user id {account.uid}, which cannot enter {home}: let others pass (chmod o+x) "
            "every directory above it"
        )
    return Placement(_readable(programs, home, account), home, account)


def _account(data: Path) -> Account:
    """Return the owner of existing data, so that a mesh made by an ordinary user also starts under root."""
    if data.exists() and (owner := data.stat()).st_uid != 0:
        return Account(owner.st_uid, owner.st_gid)
    nobody = pwd.getpwnam("nobody")
    return Account(nobody.pw_uid, nobody.pw_gid)


def _make_home(home: Path, account: Account, outside: Path) -> None:
    if _can_enter(home.parent, account):
        home.mkdir(mode=0o755)
        home.chmod(0o755)  # whatever the umask
        return
    elsewhere = outside / secrets.token_hex(8)
    elsewhere.mkdir(parents=True)
    elsewhere.chmod(0o755)
    outside.chmod(0o755)
    (elsewhere / "belongs-to").write_text(f"{home.parent}\n")  # tells a person whether it may be deleted
    home.unlink(missing_ok=True)  # a link whose target is gone
    home.symlink_to(elsewhere)


def _readable(programs: Path, home: Path, account: Account) -> Path:
    """Return `programs`, or a copy of them in `home` if the account cannot execute the originals."""
    installation = programs.parent
    samples = (programs / "postgres", installation / "share" / "postgres.bki", installation / "lib" / "vector.so")
    if all(_can_enter(file.parent, account) and _allows(file, account, 4) for file in samples if file.exists()):
        return programs
    with (programs / "postgres").open("rb") as file:
        version = hashlib.file_digest(file, "sha256").hexdigest()[:16]
    copy = home / f"programs-{version}"
    if not copy.exists():
        for old in home.glob("programs-*"):
            shutil.rmtree(old)
        draft = home / f".programs-{secrets.token_hex(4)}"
        _copy_installation(installation, draft)
        draft.rename(copy)
    return copy / installation.parent.name / installation.name / programs.name


def _copy_installation(installation: Path, target: Path) -> None:
    """Copy with the shape kept: the programs of a wheel find its libraries in `<package>.libs`, beside the package."""
    package = installation.parent
    skip = shutil.ignore_patterns("include", "doc", "*.a")
    shutil.copytree(installation, target / package.name / installation.name, symlinks=True, ignore=skip)
    libraries = package.with_name(f"{package.name}.libs")
    if libraries.is_dir():
        shutil.copytree(libraries, target / libraries.name, symlinks=True)
    for path in (target, *target.rglob("*")):
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644)


def _can_enter(directory: Path, account: Account) -> bool:
    directory = directory.resolve()
    return all(_allows(step, account, 1) for step in (directory, *directory.parents))


def _allows(path: Path, account: Account, wish: int) -> bool:
    """Whether the mode bits let the account do `wish` (4 read, 1 execute or pass). Access lists are not looked at."""
    facts = path.stat()
    shift = 6 if facts.st_uid == account.uid else 3 if facts.st_gid == account.gid else 0
    return bool(facts.st_mode >> shift & wish)
