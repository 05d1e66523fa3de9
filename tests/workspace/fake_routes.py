"""What the small workspace answers to each call, and what it keeps of it."""

# ruff: noqa: ARG001 - routes take what they are called with

import re
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fake_workspace import Call, Fake

Body = dict[str, object]
Answer = tuple[int, Body]
OK: Answer = (200, {})


def error(code: str, message: str) -> Body:
    return {"error_code": code, "message": message}


def not_found(what: str) -> Answer:
    return 404, error("RESOURCE_DOES_NOT_EXIST", f"{what} does not exist")


def scim(fake: "Fake", call: "Call") -> Answer:
    return 200, {"userName": "ann@example.org"}


def list_secrets(fake: "Fake", call: "Call") -> Answer:
    scope = call.query["scope"]
    if scope not in fake.scopes:
        return not_found(f"Scope {scope}")
    return 200, {"secrets": [{"key": key} for key in fake.scopes[scope]]}


def put_secret(fake: "Fake", call: "Call") -> Answer:
    fake.scopes[str(call.body["scope"])][str(call.body["key"])] = str(call.body["string_value"])
    return OK


def kept(room: str, name: str, fake: "Fake", call: "Call") -> Answer:
    """Get, create and update of a thing with a name."""
    things: dict[str, Body] = getattr(fake, room)
    if call.method in {"GET", "PATCH"}:
        if name not in things:
            return not_found(name)
        things[name].update(call.body)
        return 200, _with_external_id(things[name])
    things[str(call.body["name"])] = dict(call.body)
    return 200, _with_external_id(things[str(call.body["name"])])


def _with_external_id(thing: Body) -> Body:
    role = thing.get("aws_iam_role")
    if not isinstance(role, dict):
        return thing
    trusted = "arn:aws:iam::999999999999:role/unity-catalog"
    return {**thing, "aws_iam_role": {**role, "external_id": "external-7", "unity_catalog_iam_arn": trusted}}


def profiles(fake: "Fake", call: "Call") -> Answer:
    if call.method == "POST":
        fake.profiles.append(str(call.body["instance_profile_arn"]))
        return OK
    return 200, {"instance_profiles": [{"instance_profile_arn": arn} for arn in fake.profiles]}


def permissions(name: str, fake: "Fake", call: "Call") -> Answer:
    """Grants; the first page is always empty, as the platform's may be."""
    if name not in fake.grants:
        return not_found(name)
    held = fake.grants[name]
    for change in call.body.get("changes", []):
        if fake.principals and change["principal"] not in fake.principals:
            return 404, error("PRINCIPAL_DOES_NOT_EXIST", f"Could not find principal {change['principal']}")
        held.setdefault(change["principal"], []).extend(change["add"])
    if call.method == "GET" and "page_token" not in call.query:
        return 200, {"next_page_token": "2"}
    return 200, {"privilege_assignments": [{"principal": p, "privileges": given} for p, given in held.items()]}


def warehouses(fake: "Fake", call: "Call") -> Answer:
    return 200, {"warehouses": fake.warehouses}


def execute(fake: "Fake", call: "Call") -> Answer:
    fake.statements.append(str(call.body["statement"]))
    if fake.slow_statements:
        return 200, {"statement_id": f"s{len(fake.statements) - 1}", "status": {"state": "PENDING"}}
    return result(len(fake.statements) - 1, fake)


def statement(number: str, fake: "Fake", call: "Call") -> Answer:
    if call.path.endswith("/cancel"):
        return OK
    fake.slow_statements -= 1
    if fake.slow_statements > 0:
        return 200, {"statement_id": f"s{number}", "status": {"state": "RUNNING"}}
    return result(int(number), fake)


def result(number: int, fake: "Fake") -> Answer:
    sql = fake.statements[number]
    table = re.search(r"(?:FROM|TABLE) ([`\w.-]+)", sql)
    name = table.group(1).replace("`", "") if table else ""
    if name not in fake.tables:
        message = f"[TABLE_OR_VIEW_NOT_FOUND] The table or view {name} cannot be found"
        return 200, {"status": {"state": "FAILED", "error": {"error_code": "BAD_REQUEST", "message": message}}}
    columns, rows = fake.tables[name]
    if tag := re.search(r"ALTER COLUMN `(\w+)` SET TAGS \('class' = '(\w+)'\)", sql):
        tags = fake.tables["main.information_schema.column_tags"][1]
        tags[:] = [row for row in tags if row[:2] != [name.rpartition(".")[2], tag[1]]]
        tags.append([name.rpartition(".")[2], tag[1], tag[2]])
    if key := re.search(r"ADD CONSTRAINT `(\w+)` (PRIMARY|FOREIGN) KEY", sql):
        keys = fake.tables["main.information_schema.table_constraints"][1]
        keys.append([name.rpartition(".")[2], key[1], f"{key[2]} KEY"])
    if sql.startswith("DROP"):
        del fake.tables[name]
        columns, rows = [], []
    if "count(*) OVER ()" in sql:
        columns, rows = [*columns, "_rows"], [[*row, str(len(rows))] for row in rows]
    limit = re.search(r"LIMIT (\d+)", sql)
    shown = rows[: int(limit.group(1))] if limit else rows
    schema = {"columns": [{"name": column, "position": at} for at, column in enumerate(columns)]}
    answer = {"manifest": {"schema": schema}, "result": {"data_array": shown}}
    return 200, {"statement_id": f"s{number}", "status": {"state": "SUCCEEDED"}, **answer}


def list_jobs(fake: "Fake", call: "Call") -> Answer:
    name = call.query.get("name")
    found = [(number, job) for number, job in fake.jobs.items() if name in (None, job)]
    return 200, {"jobs": [{"job_id": number, "settings": {"name": job}} for number, job in found]}


def run_now(fake: "Fake", call: "Call") -> Answer:
    return 200, {"run_id": 77}


def get_run(fake: "Fake", call: "Call") -> Answer:
    """The next state of the run; the last one stays."""
    state = fake.run.popleft() if len(fake.run) > 1 else fake.run[0]
    return 200, {"run_id": 77, "run_page_url": f"{fake.host}/jobs/1/runs/77", **state}


def get_output(fake: "Fake", call: "Call") -> Answer:
    return 200, {"error": fake.outputs.get(int(call.query["run_id"]), "")}


def cancel_run(fake: "Fake", call: "Call") -> Answer:
    fake.cancelled.append(int(str(call.body["run_id"])))
    return OK


ROUTES: list[tuple[str, Callable[..., Answer]]] = [
    (r"/api/2.0/preview/scim/v2/Me", scim),
    (r"/api/2.0/secrets/list", list_secrets),
    (r"/api/2.0/secrets/put", put_secret),
    (r"/api/2.0/instance-profiles/(?:add|list)", profiles),
    (r"/api/2.1/unity-catalog/permissions/\w+/(.+)", permissions),
    (r"/api/2.0/sql/warehouses", warehouses),
    (r"/api/2.0/sql/statements/?", execute),
    (r"/api/2.0/sql/statements/s(\d+)(?:/cancel)?", statement),
    (r"/api/2.2/jobs/list", list_jobs),
    (r"/api/2.2/jobs/run-now", run_now),
    (r"/api/2.2/jobs/runs/get", get_run),
    (r"/api/2.2/jobs/runs/get-output", get_output),
    (r"/api/2.2/jobs/runs/cancel", cancel_run),
    *(
        (rf"/api/2.1/unity-catalog/{path}/?([^/]*)", lambda name, fake, call, room=room: kept(room, name, fake, call))
        for path, room in (
            ("credentials", "credentials"),
            ("external-locations", "locations"),
        )
    ),
]
