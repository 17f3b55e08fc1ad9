"""Export a model to a TFLite file: `python -m export MODEL --to tflite`, the same arguments.

python scripts/export_tflite.py resnet18 --quantize dynamic --output resnet18.tflite
"""

from __future__ import annotations

import sys

from export.__main__ import main

if __name__ == "__main__":
    sys.exit(main([*sys.argv[1:], "--to", "tflite"]))
