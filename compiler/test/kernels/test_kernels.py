"""Kernels compute what they are meant to: every case of cases.py, compiled and run on a platform, against numpy."""

from __future__ import annotations

import numpy as np
import pytest
from builder import DTYPES
from cases import FAMILIES
from families import Case, Family

CASES = [
    pytest.param(family, case, id=f"{family.name}-{case.name}") for family in FAMILIES.values() for case in family.cases
]


class Modules:
    """Compiles a family once, when its first case is run; one that does not compile as a whole, case by case."""

    def __init__(self, tools, platform, wanted):
        self.tools, self.platform, self.made, self.wanted = tools, platform, {}, wanted

    def of(self, family: Family, case: Case):
        key = family.name
        if key not in self.made:
            cases = [c for f, c in self.wanted if f is family]
            self.made[key] = self.compile(key, [c.at(c.sizes[0]).text() for c in cases], family.compile)
        module, problem = self.made[key]
        if not problem:
            return module
        if case.name not in self.made:
            self.made[case.name] = self.compile(f"{key}-{case.name}", [case.at(case.sizes[0]).text()], family.compile)
        module, problem = self.made[case.name]
        assert not problem, problem
        return module

    def compile(self, name, functions, flags):
        folder = self.tools.work / f"{self.platform.name}{self.platform.cpu}"
        folder.mkdir(exist_ok=True)
        model, module = folder / f"{name}.mlir", folder / f"{name}.xcm"
        model.write_text("\n".join(functions))
        done = self.tools.compile(model, module, *self.platform.target, *flags)
        return module, "" if done.returncode == 0 else f"status {done.returncode}: {done.stderr.strip()[-1500:]}"


@pytest.fixture(scope="session")
def modules(tools, platform, request):
    parameters = [i.callspec.params for i in request.session.items if hasattr(i, "callspec")]
    return Modules(tools, platform, [(p["family"], p["case"]) for p in parameters if "case" in p])


def check(module, case, platform, folder, flags=()):
    """Runs the case at each of its sizes."""
    texts = set()
    for size in case.sizes:
        function = case.at(size)
        texts.add(function.text())
        arguments = [f"--module={module}", f"--function={case.name}", *flags]
        for i, value in enumerate(function.inputs):
            np.save(folder / f"in{i}.npy", value.ref.astype(DTYPES[value.kind]))
            arguments.append(f"--input=@{folder / f'in{i}.npy'}")
        paths = [folder / f"out{i}.npy" for i in range(len(function.outputs))]
        arguments += [f"--output=@{path}" for path in paths]
        done = platform.run_module(*arguments)
        at = f" at size {size}" if size or len(case.sizes) > 1 else ""
        assert done.returncode == 0, f"crosscut-run{at}: status {done.returncode}: {done.stderr.strip()[-500:]}"
        for i, (output, path) in enumerate(zip(function.outputs, paths, strict=True)):
            problem = output.problem(np.load(path))
            assert not problem, f"output {i}{at}: {problem}"
    assert len(texts) == 1, "a dynamic model's text depends on its size"


@pytest.mark.parametrize(("family", "case"), CASES)
def test_kernel(family, case, modules, platform, tmp_path):
    check(modules.of(family, case), case, platform, tmp_path, family.flags)


@pytest.mark.parametrize("name", ["chains", "chains_on_threads"])
def test_chains_are_formed(name, tools, platform, tmp_path):
    if platform.name != "x86_64-linux":
        pytest.skip("the same on every platform")
    for case in FAMILIES[name].cases:
        model = tmp_path / "model.mlir"
        model.write_text(case.at(0).text())
        flags = (*FAMILIES[name].compile, f"--dump-phases={tmp_path}")
        done = tools.compile(model, tmp_path / "model.xcm", *platform.target, *flags)
        assert done.returncode == 0, done.stderr
        assert "chain of" in (tmp_path / "4-plan.txt").read_text(), case.name


@pytest.mark.parametrize("threads", [1, 2, 7])  # 3 above
@pytest.mark.parametrize(("family", "case"), [p for p in CASES if "branches" in p.values[1].name])
def test_branches_on_threads(family, case, threads, modules, platform, tmp_path):
    flags = ("--device=local-task", f"--threads={threads}")
    for _ in range(3):
        check(modules.of(family, case), case, platform, tmp_path, flags)


# ---- The compiler's options, natively --------------------------------------------------------------------------------
MIXED = [
    "inverted_residual",
    "squeeze_excite",
    "grouped_8to40_by4_3x3_stride1",
    "concat_of_convs",
    "dynamic_convolution",
]
OPTIONS = ["--opt=0", "--opt=1", "--opt=3", "--favor=min-peak-memory", "--debug-symbols"]


@pytest.mark.parametrize("option", OPTIONS)
def test_options_change_no_value(option, tools, platform, tmp_path):
    if platform.name != "x86_64-linux":
        pytest.skip("the same on every platform")
    cases = [c for f in FAMILIES.values() for c in f.cases if c.name in MIXED]
    assert len(cases) == len(MIXED)
    model, module = tmp_path / "mixed.mlir", tmp_path / "mixed.xcm"
    model.write_text("\n".join(c.at(c.sizes[0]).text() for c in cases))
    done = tools.compile(model, module, *platform.target, option)
    assert done.returncode == 0, done.stderr
    for case in cases:
        check(module, case, platform, tmp_path)
