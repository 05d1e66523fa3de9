"""Sets up what a bundle cannot: secret values, AWS credentials, grants on tables; and runs the deployed job.

Imports no Spark: a machine that deploys has ``requirements/deploy.txt`` only.
"""
