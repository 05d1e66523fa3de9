"""The bundle's variables that Python looks at, and what they may be."""

from typing import TypeVar

from databricks.bundles.core import Bundle, Variable, VariableOr, VariableOrList, variables

_T = TypeVar("_T")

COMPUTE = ("classic", "serverless")
MOUNTS = ("mount_keys", "mount_instance_profile")
LANDING_ACCESS = ("managed_volume", "volume", "external_location", *MOUNTS)
ORCHESTRATOR = ("schedule", "airflow")


@variables
class Variables:
    """Declared in databricks.yml, with their meaning."""

    compute: Variable[str]
    landing_access: Variable[str]
    orchestrator: Variable[str]
    bucket: Variable[str]
    environment_version: Variable[str]
    storage_credential: Variable[str]
    service_credential: Variable[str]
    instance_profile: Variable[str]
    service_principal: Variable[str]
    analysts_group: Variable[str]
    warehouse_id: Variable[str]


def value(bundle: Bundle, variable: VariableOr[str]) -> str:
    """The value of a variable, without spaces around it; empty if it has none."""
    return str(bundle.resolve_variable(variable) or "").strip()


def plain(setting: VariableOr[_T]) -> _T:
    """A setting that must be a value by now: the CLI resolves variables before it runs this."""
    if isinstance(setting, Variable):
        raise ValueError(f"a setting that a choice changes must be a value, got {setting.value}")
    return setting


def each(settings: VariableOrList[_T]) -> list[_T]:
    """The members of a list, each a value."""
    return [plain(setting) for setting in plain(settings)]


def mistakes(bundle: Bundle) -> list[str]:
    """Errors in the choices, one line each: an unknown value, or two that exclude each other."""
    found = []
    for variable, allowed in (
        (Variables.compute, COMPUTE),
        (Variables.landing_access, LANDING_ACCESS),
        (Variables.orchestrator, ORCHESTRATOR),
    ):
        if (got := value(bundle, variable)) not in allowed:
            found.append(f"{variable.path.removeprefix('var.')} must be one of {', '.join(allowed)}, got {got!r}")
    access, profile = value(bundle, Variables.landing_access), value(bundle, Variables.instance_profile)
    if value(bundle, Variables.compute) == "serverless":
        if access in MOUNTS:
            others = ", ".join(one for one in LANDING_ACCESS if one not in MOUNTS)
            found.append(f"landing_access must be one of {others} with compute=serverless, got {access!r}")
        if profile:
            found.append(f"instance_profile must be empty with compute=serverless, got {profile!r}")
    elif access == "mount_instance_profile" and not profile:
        found.append("instance_profile must be given with landing_access=mount_instance_profile, got ''")
    if access in (*MOUNTS, "managed_volume") and (credential := value(bundle, Variables.storage_credential)):
        found.append(f"storage_credential must be empty with landing_access={access}, got {credential!r}")
    return found
