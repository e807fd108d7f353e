"""What became of one contender in one case, and whether its outputs are right."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from crosscut.models import Model, Sample
from crosscut.peers.process import ContenderError


@dataclass
class Outcome:
    """`cost` holds seconds (native) or instructions (under QEMU) of one inference, sample by sample. A contender with a
    `failure` has no cost; one that is `missing` can not be had for the platform, and why is the text."""

    contender: str
    version: str = ""
    cost: list[float] = field(default_factory=list)
    exact: bool = False
    largest_error: float | None = None
    peak_rss: int | None = None
    shipped_bytes: int | None = None
    failure: ContenderError | None = None
    missing: str = ""

    @property
    def ok(self) -> bool:
        return not self.failure and not self.missing and bool(self.cost)

    def fail(self, error: ContenderError) -> None:
        self.failure, self.cost = error, []

    @property
    def least(self) -> float:
        return min(self.cost)


def check(model: Model, sample: Sample, files: list[Path]) -> float | None:
    """The largest error of a contender's outputs. ContenderError when they are not within the model's tolerance of the
    reference's, ONNX Runtime's; so that any two right contenders are within twice that of each other."""
    from crosscut.compare import outputs_match

    problem, largest, _ = outputs_match(sample.outputs, files, model.tolerance.atol, model.tolerance.rtol)
    if problem:
        raise ContenderError("check", problem)
    return largest
