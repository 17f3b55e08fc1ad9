"""Export a model to a SavedModel: `python -m export MODEL --to savedmodel`, the same arguments.

python scripts/export_savedmodel.py resnet18 --output model/1
"""

from __future__ import annotations

import sys

from export.__main__ import main

if __name__ == "__main__":
    sys.exit(main([*sys.argv[1:], "--to", "savedmodel"]))
