"""Start a sandbox, pass its lines on, hold its limits and end it: the same loop for every back end."""

import os
import secrets
import select
import selectors
import signal
import subprocess
import threading
import time
from typing import Any

from sightline.errors import SightlineError
from sightline.sandbox.cgroups import ControlGroup
from sightline.sandbox.control import Control, process_handle
from sightline.sandbox.inside.processes import end_descendants, send
from sightline.sandbox.job import Ending, Limits, OnLine, Outcome
from sightline.sandbox.launch import Launch, order_of_work
from sightline.sandbox.plan import Plan
from sightline.sandbox.reasons import Stop, explain_end, explain_refusal
from sightline.sandbox.resources import choose_cpus, resource_limits
from sightline.sandbox.rootfs import HOSTNAME
from sightline.sandbox.streams import Stream
from sightline.sandbox.survivors import MARK, end_survivors
from sightline.sandbox.usage import make_ours
from sightline.sandbox.watch import Watch

_START_S = 30.0
_TICK_S = 0.1
_DRAIN_S = 2.0


class Supervision:
    """One run of one plan. Used once, by one thread: the parent-death signals follow that thread."""

    def __init__(self, launch: Launch, plan: Plan, limits: Limits, on_line: OnLine) -> None:
        self._launch, self._plan, self._limits, self._on_line = launch, plan, limits, on_line
        self._control = Control.create()
        self._mark = secrets.token_hex(16)
        self._status: int | None = None
        self._refusal: dict[str, Any] | None = None
        self._stop: Stop | None = None

    def run(self, cancel: threading.Event) -> Outcome:
        """From start to end; nothing of it is left when this returns or raises."""
        starter = self._start()
        assert starter.stdout is not None
        assert starter.stderr is not None
        self._control.theirs.close()
        streams = [
            Stream("stdout", starter.stdout, self._on_line),
            Stream("stderr", starter.stderr, self._on_line),
        ]
        cpus = choose_cpus(self._limits.cpus)
        group = ControlGroup()
        try:
            count = None if cpus is None else len(cpus)
            group = ControlGroup.create(self._limits.memory_bytes, self._limits.max_processes, count)
            self._prepare(starter, streams, group, cpus)
            watch = Watch(self._limits, self._plan, group, self._first_process)
            self._control.say({"say": "go"})
            began = time.monotonic()
            self._attend(streams, watch, cancel, began)
            wall_s = time.monotonic() - began
            self._end_all(starter)
            for stream in streams:
                stream.drain(_DRAIN_S)
            make_ours(self._plan.counted)
            self._stop = self._stop or watch.last_look()
            peak = watch.peak_memory_bytes()
        finally:
            self._end_all(starter)
            group.end()
            self._control.close()
            for stream in streams:
                stream.pipe.close()
        return self._outcome(wall_s, peak)

    def _start(self) -> "subprocess.Popen[bytes]":
        descriptor = self._control.theirs.fileno()
        command = self._launch.command(self._plan, descriptor)
        try:
            return subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                pass_fds=[descriptor],
                env=self._marked({}),
                cwd="/",
                start_new_session=True,
            )
        except OSError as error:
            self._control.close()
            raise SightlineError(
                f"the sandbox could not be set up: {command[0]}: {error.strerror}"
            ) from error

    @property
    def _first_process(self) -> int:
        assert self._control.process is not None
        return self._control.process

    def _marked(self, variables: dict[str, str]) -> dict[str, str]:
        return variables if self._launch.namespaces else variables | {MARK: self._mark}

    def _prepare(
        self,
        starter: "subprocess.Popen[bytes]",
        streams: list[Stream],
        group: ControlGroup,
        cpus: list[int] | None,
    ) -> None:
        """Hand over the order, wait until the world is built, put the first process under its limits."""
        resources = resource_limits(self._limits, self._plan, self._launch, group)
        order = order_of_work(self._launch, self._plan, HOSTNAME, cpus or [], resources)
        order["variables"] = self._marked(order["variables"])
        self._control.say(order, give_up=lambda: starter.poll() is not None)
        messages = self._control.hear(_START_S)
        if not messages or messages[0]["say"] != "ready":
            self._end_all(starter)
            said = str(messages[0]["reason"]) if messages else streams[1].last_words()
            raise SightlineError(f"the sandbox could not be set up: {said}")
        group.add(self._first_process)

    def _attend(self, streams: list[Stream], watch: Watch, cancel: threading.Event, began: float) -> None:
        """Until the job has ended, or is to be ended at once."""
        end_at = began + self._limits.time_s
        with selectors.DefaultSelector() as selector:
            for stream in streams:
                selector.register(stream.pipe, selectors.EVENT_READ, stream)
            selector.register(self._control.ours, selectors.EVENT_READ, None)
            while True:
                now = time.monotonic()
                for key, _ in selector.select(max(0.0, min(_TICK_S, end_at - now, watch.due_at - now))):
                    if key.data is None:
                        self._hear()
                    elif not key.data.read() and not key.data.open:
                        selector.unregister(key.fileobj)
                if self._status is not None or self._refusal is not None or self._control.closed:
                    return
                if found := watch.look():
                    self._stop = found
                    return
                now = time.monotonic()
                if self._stop is not None:
                    if now >= end_at:
                        return
                elif stop := self._due_stop(cancel, now >= end_at):
                    self._stop = stop
                    end_at = now + self._limits.grace_s
                    self._control.say({"say": "terminate"})

    def _due_stop(self, cancel: threading.Event, time_is_up: bool) -> Stop | None:
        if cancel.is_set():
            return Stop(Ending.CANCELLED, "the job was cancelled")
        if time_is_up:
            reason = f"stopped after {self._limits.time_s:g} s, the time limit of its environment"
            return Stop(Ending.TIME_LIMIT, reason)
        return None

    def _hear(self) -> None:
        for message in self._control.hear(0):
            if message["say"] == "ended":
                self._status = int(message["status"])
            elif message["say"] != "started":
                self._refusal = message

    def _end_all(self, starter: "subprocess.Popen[bytes]") -> None:
        """No process of the job is alive afterwards. Harmless when called again."""
        if starter.returncode is not None:
            return
        if self._launch.namespaces:
            # Before its child, or it complains about the child's end in the job's own stream.
            starter.kill()
        first = self._control.process
        if first is not None:
            handle = process_handle(first)
            if not self._launch.namespaces:
                # It kills what descends from it as soon as it no longer hears us; this is to make sure.
                self._control.hang_up()
                _wait_for(handle, 2.0)
                end_descendants(first)
            send(first, signal.SIGKILL)
            _wait_for(handle, 10.0)
            if handle is not None:
                os.close(handle)
        starter.kill()
        starter.wait()
        if not self._launch.namespaces:
            end_survivors(self._mark)

    def _outcome(self, wall_s: float, peak: int | None) -> Outcome:
        code = self._status if self._status is not None and self._status >= 0 else None
        if self._stop is not None:
            return Outcome(self._stop.ending, code, self._stop.reason, wall_s, peak)
        if self._refusal is not None:
            code, reason = explain_refusal(self._plan.command[0], self._refusal)
            return Outcome(Ending.FAILED, code, reason, wall_s, peak)
        ending = Ending.SUCCEEDED if self._status == 0 else Ending.FAILED
        return Outcome(ending, code, explain_end(self._status, self._plan.failure), wall_s, peak)


def _wait_for(handle: int | None, patience_s: float) -> None:
    """Until the process behind a descriptor has ended. The first process of a namespace ends last."""
    if handle is not None:
        select.select([handle], [], [], patience_s)
