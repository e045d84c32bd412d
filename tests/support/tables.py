"""Looks into an Automat table, to see that every pair of state and input is accounted for."""

from __future__ import annotations

from automat import TypeMachineBuilder


def pairs(table: TypeMachineBuilder[object, object]) -> tuple[set[tuple[str, str]], set[str]]:
    """Answer the (state, input) pairs that have a transition, and all states."""
    automaton = table._automaton
    states = {state.name for state in automaton.states()}
    table.build()
    covered = {(start.name, given) for start, given, *_ in automaton.allTransitions()}
    return covered, states


def inputs(protocol: type) -> set[str]:
    """Answer the names of a table's inputs."""
    return {name for name in vars(protocol) if not name.startswith("_")}
