"""What is tested: families of cases. A case is a function of the model; a family is compiled as one module.

Sizes are those at which code generators go wrong: 1, primes, one less and one more than the width of a vector (4, 8, 16,
and RISC-V's 16, 32 and 64 with grouped registers) and of a register tile, and 0.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from builder import Function


@dataclass(frozen=True)
class Case:
    name: str
    build: Callable  # (Function) → None; reads f.size when there are sizes
    sizes: tuple[int, ...] = (0,)

    def at(self, size: int) -> Function:
        f = Function(self.name, size)
        self.build(f)
        assert f.outputs
        return f


@dataclass
class Family:
    name: str
    cases: list[Case] = field(default_factory=list)
    flags: tuple[str, ...] = ()  # of crosscut-run
    compile: tuple[str, ...] = ()  # of crosscut-compile

    def add(self, name: str, build: Callable, sizes: tuple[int, ...] = (0,)) -> None:
        self.cases.append(Case(name.replace("-", "m"), build, sizes))


FAMILIES: dict[str, Family] = {}


def family(function):
    FAMILIES[function.__name__] = made = Family(function.__name__)
    function(made)
    return function
