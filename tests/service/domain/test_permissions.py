import pytest

from sightline.client.wire import Role
from sightline.service.domain import permissions
from sightline.service.domain.permissions import Actor, Parties

ADMIN, OWNER, DEV, OTHER, AGENT = (
    Actor(name, name, role)
    for name, role in [
        ("admin", Role.ADMIN),
        ("owner", Role.OWNER),
        ("dev", Role.DEVELOPER),
        ("other", Role.OWNER),
        ("agent", Role.AGENT),
    ]
)
EXPERIMENT = Parties(author_id="dev", owner_id="owner")


@pytest.mark.parametrize("actor", [ADMIN, OWNER, DEV, OTHER, AGENT])
def test_agents_and_people_have_their_own_routes(actor: Actor) -> None:
    assert permissions.may_call(actor, is_agent_route=True) == (actor is AGENT)
    assert permissions.may_call(actor, is_agent_route=False) == (actor is not AGENT)


def test_an_experiment_is_seen_by_its_author_the_data_owner_and_admins() -> None:
    seers = [a for a in (ADMIN, OWNER, DEV, OTHER) if permissions.may_see(a, EXPERIMENT)]
    assert seers == [ADMIN, OWNER, DEV]
    assert not permissions.may_see(OTHER, Parties(author_id="dev", owner_id=None))


def test_the_author_never_reviews_not_even_as_owner_or_admin() -> None:
    reviewers = [a for a in (ADMIN, OWNER, DEV, OTHER) if permissions.may_review(a, EXPERIMENT)]
    assert reviewers == [ADMIN, OWNER]
    assert not permissions.may_review(OWNER, Parties(author_id="owner", owner_id="owner"))
    assert not permissions.may_review(ADMIN, Parties(author_id="admin", owner_id="owner"))


def test_only_owners_and_admins_publish_and_only_admins_manage_users() -> None:
    everyone = (ADMIN, OWNER, DEV, AGENT)
    assert [a for a in everyone if permissions.may_publish(a)] == [ADMIN, OWNER]
    assert [a for a in everyone if permissions.may_manage_users(a)] == [ADMIN]
    assert permissions.may_manage(DEV, "dev")
    assert not permissions.may_manage(OTHER, "owner")
