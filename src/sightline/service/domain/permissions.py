"""Who may do what. *When* it can be done is for the transition table and the release rules to say."""

from dataclasses import dataclass

from sightline.client.wire import Role


@dataclass(frozen=True)
class Actor:
    """The user on whose behalf a call is made."""

    id: str
    name: str
    role: Role


@dataclass(frozen=True)
class Parties:
    """The users an experiment concerns. ``owner_id``: the owner of its dataset, None once that is deleted."""

    author_id: str
    owner_id: str | None


def may_call(actor: Actor, is_agent_route: bool) -> bool:
    """Agents run jobs and may do nothing else; nobody else may act as one."""
    return (actor.role is Role.AGENT) == is_agent_route


def may_manage_users(actor: Actor) -> bool:
    """Create users, list them, and take their keys away."""
    return actor.role is Role.ADMIN


def may_publish(actor: Actor) -> bool:
    """Create datasets."""
    return actor.role in (Role.OWNER, Role.ADMIN)


def may_manage(actor: Actor, owner_id: str) -> bool:
    """Change or delete a thing that belongs to ``owner_id``: a dataset, a recipe, a trainer."""
    return actor.role is Role.ADMIN or actor.id == owner_id


def may_see(actor: Actor, parties: Parties) -> bool:
    """See an experiment, its logs and its metrics."""
    return actor.role is Role.ADMIN or actor.id in (parties.author_id, parties.owner_id)


def may_cancel(actor: Actor, parties: Parties) -> bool:
    """Stop an experiment: also a data owner, since it is their data that is being read."""
    return may_see(actor, parties)


def may_review(actor: Actor, parties: Parties) -> bool:
    """Decide what leaves the service, and look at it before: never the author, whatever their role."""
    if actor.id == parties.author_id:
        return False
    return actor.role is Role.ADMIN or actor.id == parties.owner_id
