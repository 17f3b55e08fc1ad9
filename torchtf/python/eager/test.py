"""`tensorflow.python.eager.test`: `tensorflow.python.platform.test` under its older name."""

from torchtf.python.platform.test import (  # noqa: F401
    __getattr__,
    get_temp_dir,
    mock,
    test_src_dir_path,
)
