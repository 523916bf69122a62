"""``/health``, ``/me`` and ``/users``."""

from fastapi import APIRouter

import sightline
from sightline.client.wire import Health, Page, User, UserCreate, UserCreated
from sightline.service.api import present
from sightline.service.api.call import CallDep, PagingDep, require
from sightline.service.domain.permissions import may_manage_users
from sightline.service.domain.refusals import ConflictError
from sightline.service.store import users

router = APIRouter(tags=["accounts"])

_ADMINS_ONLY = "Only an admin manages users."


@router.get("/health")
async def health() -> Health:
    """Whether the service is up; needs no key."""
    return Health(version=sightline.__version__)


@router.get("/me")
def me(call: CallDep) -> User:
    """Whose key this is."""
    with call.core.database.read() as session:
        return present.user(users.find(session, call.actor.id))


@router.get("/users")
def list_users(call: CallDep, paging: PagingDep) -> Page[User]:
    """All users (admin)."""
    require(may_manage_users(call.actor), _ADMINS_ONLY)
    with call.core.database.read() as session:
        count, rows = users.page(session, paging)
        return Page(count=count, data=[present.user(row) for row in rows])


@router.post("/users", status_code=201)
def create_user(request: UserCreate, call: CallDep) -> UserCreated:
    """A new user; the answer is the only one that shows the API key (admin)."""
    require(may_manage_users(call.actor), _ADMINS_ONLY)
    with call.core.database.write() as session:
        row, key = users.create(session, request.name, request.role, call.core.now())
        return UserCreated(user=present.user(row), api_key=key)


@router.delete("/users/{user}", status_code=204)
def delete_user(user: str, call: CallDep) -> None:
    """Take a user's keys away, by id or name; what they made stays (admin)."""
    require(may_manage_users(call.actor), _ADMINS_ONLY)
    with call.core.database.write() as session:
        row = users.find(session, user)
        if row.id == call.actor.id:
            raise ConflictError("You cannot remove yourself; another admin can.")
        users.remove(session, row, call.core.now())
