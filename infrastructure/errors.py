"""What can be wrong here."""

from pinterest_transforms.errors import PinterestError


class TemplateError(PinterestError):
    """A CloudFormation template cannot be read, or says something that is not understood."""


class DeployError(PinterestError):
    """AWS, or its command line, did not do what it was asked to."""
