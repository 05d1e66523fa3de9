"""Our resolver against the Databricks CLI: the same resources, task by task, and nothing taken that the CLI refuses."""

import json
from pathlib import Path

import pytest

from tests.bundle.checks.checking import findings
from tests.bundle.checks.mistakes import MISTAKES, plant
from tests.bundle.loading import BundleError, load
from tests.bundle.resolving import GIVEN, TARGETS, resolve, resolved
from tests.bundle.snapshots import CHOICES, FOLDER, as_the_cli_writes, kept


@pytest.mark.parametrize("name", CHOICES)
def test_our_resolver_gives_what_the_cli_gives(name: str) -> None:
    target, variables = CHOICES[name]
    ours, theirs = as_the_cli_writes(resolved(target, **variables)), kept(name)
    paths = sorted({*ours, *theirs})
    unlike = [(path, ours.get(path), theirs.get(path)) for path in paths if ours.get(path) != theirs.get(path)]
    assert unlike == [], "ours, and the CLI's; `make bundle-snapshots` after a change of the bundle"


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_planted_in_a_file_is_refused(copied: Path, name: str) -> None:
    plant(MISTAKES[name], copied)
    assert MISTAKES[name].told in refusal(copied, MISTAKES[name].target)


@pytest.mark.parametrize("target", TARGETS)
def test_the_bundle_as_it_is_is_not_refused(copied: Path, target: str) -> None:
    assert refusal(copied, target) == ""


def test_each_mistake_was_shown_to_the_cli_which_refuses_most() -> None:
    refused = json.loads((FOLDER / "refused.json").read_text(encoding="utf-8"))
    assert set(refused) == set(MISTAKES)
    assert len([name for name, errors in refused.items() if errors]) > len(MISTAKES) / 2


def refusal(root: Path, target: str) -> str:
    """What the resolver, or then the checks, say of a target; empty if it is good."""
    try:
        return "; ".join(findings(resolve(load(root), target, {} if target == "dev" else GIVEN), root=root))
    except BundleError as error:
        return str(error)
