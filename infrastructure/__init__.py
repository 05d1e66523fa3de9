"""AWS as code: CloudFormation templates, settings files made from the pipeline's own names, a deploy over the AWS CLI.

Imports no Spark.
"""
