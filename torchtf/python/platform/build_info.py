"""`tensorflow.python.platform.build_info`: how the installed PyTorch was built."""

import torchtf as tf

build_info = tf.sysconfig.get_build_info()
