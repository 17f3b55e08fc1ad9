"""A table of made-up penguins, as CSV."""

from __future__ import annotations

import random

import pytest

SPECIES = {"Adelie": (38.0, 3700), "Chinstrap": (48.0, 3750), "Gentoo": (47.0, 5100)}


@pytest.fixture(scope="session")
def penguins(tmp_path_factory):
    """The folder of a CSV file of 150 rows with a string, a float and an integer."""
    rng = random.Random(7)
    lines = ["species,length,mass"]
    for number in range(150):
        species = list(SPECIES)[number % 3]
        length, mass = SPECIES[species]
        lines.append(f"{species},{rng.gauss(length, 1.5):.1f},{int(rng.gauss(mass, 200))}")
    folder = tmp_path_factory.mktemp("penguins")
    (folder / "penguins.csv").write_text("\n".join(lines) + "\n")
    return folder
