"""References of a bundle: ``${var.…}``, ``${bundle.…}`` and ``${workspace.…}`` by value, ``${resources.…}`` by name."""

import re
from collections.abc import Iterator, Mapping

from tests.bundle.loading import BundleError

REFERENCE = re.compile(r"\$\{([a-zA-Z]+[\w.-]*)\}")


def values(declared: Mapping[str, dict], given: Mapping[str, str]) -> dict[str, object]:
    """Value of each variable: given, else its default."""
    if unknown := set(given) - set(declared):
        raise BundleError(f"variable {', '.join(sorted(unknown))} must be declared")
    found: dict[str, object] = {}
    for name, declaration in declared.items():
        if name in given:
            found[name] = given[name]
        elif "default" in declaration:
            found[name] = declaration["default"]
        else:
            raise BundleError(f"variable {name} must have a value: it has no default")
    return found


def filled(value: object, known: Mapping[str, object], inside: tuple[str, ...] = ()) -> object:
    """The value without references, but for those to resources.

    Args:
        value: what may hold references.
        known: ``var``, ``bundle`` and ``workspace``, nested.
        inside: references that are being followed.
    """
    if isinstance(value, dict):
        return {key: filled(inner, known, inside) for key, inner in value.items()}
    if isinstance(value, list):
        return [filled(inner, known, inside) for inner in value]
    if not isinstance(value, str):
        return value
    if (whole := REFERENCE.fullmatch(value)) and not whole[1].startswith("resources."):
        return _followed(whole[1], known, inside)
    return REFERENCE.sub(
        lambda found: found[0] if found[1].startswith("resources.") else str(_followed(found[1], known, inside)), value
    )


def _followed(path: str, known: Mapping[str, object], inside: tuple[str, ...]) -> object:
    if path in inside:
        raise BundleError(f"${{{path}}} must not refer to itself")
    return filled(found_at(known, path), known, (*inside, path))


def found_at(known: object, path: str) -> object:
    """What stands at a dotted path."""
    at = known
    for part in path.split("."):
        if not isinstance(at, Mapping) or part not in at:
            raise BundleError(f"${{{path}}} must refer to something that is there")
        at = at[part]
    return at


def settled(bundle: dict) -> dict:
    """The bundle with ``${resources.…}`` replaced too, where the configuration says what the deploy will find."""

    def put(value: object, inside: tuple[str, ...] = ()) -> object:
        if isinstance(value, dict):
            return {key: put(inner, inside) for key, inner in value.items()}
        if isinstance(value, list):
            return [put(inner, inside) for inner in value]
        if isinstance(value, str) and "${resources." in value:
            return REFERENCE.sub(lambda found: str(follow(found[1], inside)), value)
        return value

    def follow(path: str, inside: tuple[str, ...]) -> object:
        if path in inside:
            raise BundleError(f"${{{path}}} must not refer to itself")
        return put(found_at(bundle, path), (*inside, path))

    return put(bundle)


def references(value: object) -> Iterator[str]:
    """Every reference in a value, without the braces."""
    if isinstance(value, dict):
        for inner in value.values():
            yield from references(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from references(inner)
    elif isinstance(value, str):
        yield from REFERENCE.findall(value)
