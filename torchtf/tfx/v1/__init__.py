"""`tfx.v1`: the public interface of TFX, which here is all of `tfx`."""

import sys

from torchtf.tfx import components, dsl, orchestration, proto, types, utils
from torchtf.tfx.version import __version__

__all__ = ["__version__", "components", "dsl", "orchestration", "proto", "types", "utils"]

# so that `import tfx.v1.dsl.components` and `from tfx.v1.proto import ...` find the same modules
for _name, _module in list(sys.modules.items()):
    if _name.startswith("torchtf.tfx.") and not _name.startswith(__name__):
        sys.modules[_name.replace("torchtf.tfx.", f"{__name__}.", 1)] = _module
