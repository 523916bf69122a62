"""What a plan knows of the machine."""

from sightline.planning.machine import Machine, this_machine


def test_this_machine_has_what_it_needs() -> None:
    machine = this_machine()
    assert machine.cpus >= 1
    assert machine.memory_bytes > 100 << 20
    assert (machine.gpu is None) == (machine.gpus == 0)


def test_machines_are_told_in_words() -> None:
    assert str(Machine(1, 2 << 30)) == "1 CPU, 2.0 GB of free memory, no GPU"
    assert (
        str(Machine(8, 2 << 30, "H100", 2, 80 << 30)) == "8 CPUs, 2.0 GB of free memory, 2 x H100 (80.0 GB)"
    )
