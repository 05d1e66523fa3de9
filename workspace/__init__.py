"""What a bundle does not hold: values of secrets, credentials, grants on single tables; and a run that proves the rest.

Imports no Spark: a machine that deploys has ``requirements/deploy.txt`` and nothing more.
"""
