"""Make a folder ready to be served: schema, first users, environments."""

from dataclasses import dataclass
from pathlib import Path

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from sightline.client.wire import Role
from sightline.errors import SightlineError
from sightline.files import written_whole
from sightline.service.core import Core
from sightline.service.machine import environments
from sightline.service.settings import Settings
from sightline.service.store import cleanup, users
from sightline.service.store.environments import offer
from sightline.service.store.migrate import upgrade

ADMIN = "admin"
LOCAL_AGENT = "local-agent"


@dataclass(frozen=True)
class Bootstrap:
    """``admin_key`` is given on the first start only; the files stay."""

    first_start: bool
    admin_key: str | None
    admin_key_file: Path
    agent_key_file: Path


def prepare(settings: Settings) -> Bootstrap:
    """Migrate the database, and on the first start create the users ``admin`` and ``local-agent``.

    Their keys are written to ``admin.key`` and ``agent.key`` in the folder, readable by their owner
    only. A key file that was lost is written again with a new key.

    Raises:
        SightlineError: the database cannot be opened, or ``environments.json`` is wrong.
    """
    listed = environments(settings.folder)
    settings.folder.mkdir(parents=True, exist_ok=True)
    settings.folder.chmod(0o700)  # holds hidden data and keys: nobody else on this machine may look
    core = Core.open(settings)
    admin_file, agent_file = settings.folder / "admin.key", settings.folder / "agent.key"
    try:
        upgrade(core.database)
        with core.database.write() as session:
            offer(session, listed)
            first = users.named(session, ADMIN) is None
            admin_key = _ensure_key(session, core, ADMIN, Role.ADMIN, admin_file)
            _ensure_key(session, core, LOCAL_AGENT, Role.AGENT, agent_file)
        with core.database.read() as session:
            cleanup.sweep(session, core.objects)
    except SQLAlchemyError as error:
        cause = getattr(error, "orig", None) or error
        text = " ".join(str(cause).split())
        raise SightlineError(f"The database {core.database.address} cannot be used ({text}).") from error
    finally:
        core.database.close()
    return Bootstrap(first, admin_key if first else None, admin_file, agent_file)


def _ensure_key(session: Session, core: Core, name: str, role: Role, file: Path) -> str | None:
    user = users.named(session, name)
    if user is not None and (file.exists() or user.removed_at is not None):
        return None
    if user is None:
        _, key = users.create(session, name, role, core.now())
    else:
        key = users.add_key(session, user, core.now())
    with written_whole(file, mode=0o600) as temporary:
        temporary.write_text(key + "\n")
    return key
