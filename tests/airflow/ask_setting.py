"""Run by Airflow's own Python: has a published DAG's file check a value of its Airflow variable."""

import importlib.util
import json
import sys

file, value = sys.argv[1:]
spec = importlib.util.spec_from_file_location("published", file)
module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
sys.stdout.write(f"{module.notebook_setting(json.loads(value))}\n")
