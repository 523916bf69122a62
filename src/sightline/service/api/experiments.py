"""``/experiments`` and ``/experiment-environments``."""

from fastapi import APIRouter
from sqlalchemy.orm import Session

from sightline.client.wire import Environment, ExperimentCreate, ExperimentOut, Page, ReleaseDecision, State
from sightline.service.api import present
from sightline.service.api.call import Call, CallDep, PagingDep, require
from sightline.service.domain.permissions import may_cancel, may_review
from sightline.service.domain.refusals import RefusedError
from sightline.service.domain.release import on_decision
from sightline.service.domain.states import Event
from sightline.service.store import environments, experiments, recipes, trainers
from sightline.service.store.experiments import Parts
from sightline.service.wakeups import JOBS, experiment_topic
from sightline.trainer_package import parse_command

router = APIRouter(tags=["experiments"])


@router.get("/experiment-environments")
def list_environments(call: CallDep) -> list[Environment]:
    """The environments on offer, the default first."""
    with call.core.database.read() as session:
        return [environments.to_wire(row) for row in environments.offered(session)]


@router.get("/experiments")
def list_experiments(call: CallDep, paging: PagingDep) -> Page[ExperimentOut]:
    """The caller's experiments, newest first. Data owners also see those on their datasets, admins all."""
    with call.core.database.read() as session:
        count, rows = experiments.page(session, call.actor, paging)
        return Page(count=count, data=[present.experiment(row) for row in rows])


@router.post("/experiments", status_code=201)
def create_experiment(request: ExperimentCreate, call: CallDep) -> ExperimentOut:
    """Queue a trainer, a command and a dataset (or recipe) for an environment."""
    core = call.core
    with core.database.write() as session:
        row = experiments.submit(session, request, _parts(session, request, call), call.actor, core.now())
        answer = present.whole_experiment(session, row)
    core.wakeups.notify(JOBS)
    return answer


@router.get("/experiments/{experiment}")
def show_experiment(experiment: str, call: CallDep) -> ExperimentOut:
    """One experiment, with all its changes of state and their reasons."""
    with call.core.database.read() as session:
        return present.whole_experiment(session, experiments.visible(session, experiment, call.actor))


@router.post("/experiments/{experiment}/cancel")
def cancel_experiment(experiment: str, call: CallDep) -> ExperimentOut:
    """Cancel: at once while it is queued, else its agent is told to stop it (author, data owner, admin)."""
    core = call.core
    with core.database.write() as session:
        row = experiments.visible(session, experiment, call.actor, lock=True)
        require(may_cancel(call.actor, row.parties), "Only its author or the data's owner cancels it.")
        if row.state in (State.CREATED, State.QUEUED):
            reason = f"Cancelled by {call.actor.name}."
            experiments.change(session, row, Event.CANCEL, State.CANCELLED, reason, core.now())
        elif not row.state.ended and not row.cancel_requested:
            row.cancel_requested = True
            reason = f"{call.actor.name} asked to cancel; the agent is stopping the job."
            experiments.explain(session, row, reason, core.now())
        answer = present.whole_experiment(session, row)
    core.wakeups.notify(experiment_topic(row.id))
    return answer


@router.post("/experiments/{experiment}/release")
def release_experiment(experiment: str, request: ReleaseDecision, call: CallDep) -> ExperimentOut:
    """Decide whether the artifacts go to the author (the dataset's owner, admin; never the author)."""
    core = call.core
    with core.database.write() as session:
        row = experiments.visible(session, experiment, call.actor, lock=True)
        require(
            may_review(call.actor, row.parties),
            f"The owner of dataset '{row.dataset_name}' or an admin decides, and never the author.",
        )
        current = row.release.state
        verdict = on_decision(current, request, call.actor.name)
        if verdict.state is not current:
            row.release.state, row.release.reason = verdict.state, verdict.reason
            row.release.decided_by, row.release.decided_at = call.actor.name, core.now()
        return present.whole_experiment(session, row)


def _parts(session: Session, request: ExperimentCreate, call: Call) -> Parts:
    """Look up everything that a request names, and check its command against the package."""
    if (request.dataset is None) == (request.dataset_recipe is None):
        raise RefusedError("Give exactly one of 'dataset' and 'dataset_recipe'.")
    if request.dataset_recipe is not None:
        body = recipes.body_of(recipes.find(session, request.dataset_recipe, call.actor))
    else:
        body = request.dataset or ""
    data = recipes.data_of(session, body)
    trainer = trainers.named(session, request.trainer, call.actor)
    parse_command(request.command, trainer.file_names)
    return Parts(
        trainer=trainer,
        data=data,
        environment=environments.named(session, request.environment),
    )
