"""`tensorflow.python.util.tf_inspect`: Python's `inspect`, which follows `__wrapped__`, too."""

import inspect as _inspect
from inspect import *  # noqa: F403
from inspect import FullArgSpec, getfullargspec

ArgSpec = FullArgSpec
getargspec = getfullargspec
stack = _inspect.stack
