"""A model server with the interface of TensorFlow Serving: ``python -m torchtf.serving``.

It serves the SavedModels below a folder, over gRPC and HTTP/REST, and follows the versions that
appear there. `ModelServer(Options(...))` is the same server in a Python program.
"""

from torchtf.serving._options import Options
from torchtf.serving._server import ModelServer

__all__ = ["ModelServer", "Options"]
