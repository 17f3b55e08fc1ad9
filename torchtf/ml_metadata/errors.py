"""`ml_metadata.errors`: what a `MetadataStore` raises."""


class StatusError(Exception):
    """The base class of all of them."""


class NotFoundError(StatusError):
    """What was asked for is not in the store."""


class AlreadyExistsError(StatusError):
    """What was to be added is in the store, with other content."""


class InvalidArgumentError(StatusError):
    """An argument that is not valid in itself."""


class FailedPreconditionError(StatusError):
    """The store cannot be used as it is."""


class UnimplementedError(StatusError):
    """The store cannot do this."""
