"""Run by Airflow's own Python: has a published DAG's file check values of its Airflow variable; prints each error."""

import importlib.util
import json
import sys

file, values = sys.argv[1:]
spec = importlib.util.spec_from_file_location("published", file)
module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
for value in json.loads(values):
    try:
        module.notebook_setting(value)
        said = "nothing"
    except ValueError as error:
        said = str(error)
    sys.stdout.write(f"setting {said}\n")
