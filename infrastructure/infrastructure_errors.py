"""Errors of the infrastructure."""

from pinterest_transforms.errors import PinterestError


class TemplateError(PinterestError):
    """A CloudFormation template cannot be read or evaluated."""


class DeployError(PinterestError):
    """AWS or its command line reports an error."""
