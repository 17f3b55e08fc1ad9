"""How the hints of operators combine."""

from __future__ import annotations


def square(a, b):
    """Whether a product of two operators is square: True, False or None for unknown."""
    if a.is_square and b.is_square:
        return True
    if a.is_square is False and b.is_square is False:
        return a.range_dimension == b.domain_dimension
    if None not in (a.is_square, b.is_square):
        return False
    return None


def non_singular(a, b):
    if a.is_non_singular is False or b.is_non_singular is False:
        return False
    return a.is_non_singular and b.is_non_singular


def self_adjoint_if_commuting(a, b):
    if a.is_self_adjoint and b.is_self_adjoint:
        return True
    return False if {a.is_self_adjoint, b.is_self_adjoint} == {True, False} else None


def positive_definite_if_commuting(a, b):
    hints = (a.is_positive_definite, a.is_self_adjoint, b.is_positive_definite, b.is_self_adjoint)
    return True if all(h is True for h in hints) else None


def of_commuting_product(a, b) -> dict:
    """The hints of the product of two operators that commute."""
    return {
        "is_non_singular": non_singular(a, b),
        "is_self_adjoint": self_adjoint_if_commuting(a, b),
        "is_positive_definite": positive_definite_if_commuting(a, b),
        "is_square": True,
    }


def of_product(a, b) -> dict:
    """The hints of the product of any two operators."""
    is_square = square(a, b)
    if is_square is False:
        return dict.fromkeys(
            ("is_non_singular", "is_self_adjoint", "is_positive_definite", "is_square"), False
        )
    return {"is_non_singular": non_singular(a, b) if is_square else None, "is_square": is_square}


def of(operator) -> dict:
    """The hints of one operator, as arguments of another."""
    return {
        "is_non_singular": operator.is_non_singular,
        "is_self_adjoint": operator.is_self_adjoint,
        "is_positive_definite": operator.is_positive_definite,
        "is_square": operator.is_square,
    }


def shared(operator, given: dict, what: str) -> dict:
    """The hints of an operator that has those of `operator`, where `given` does not contradict.

    Args:
        operator: the operator it is made of.
        given: the user's hints.
        what: what it is, for messages: "inverse", "adjoint".

    Raises:
        ValueError: if a hint contradicts the operator's.
    """
    combined = {}
    for key, value in given.items():
        own = getattr(operator, key)
        if own is not None and value is not None and bool(own) != bool(value):
            word = key[3:].replace("_", "-")
            raise ValueError(f"An operator is {word} if and only if its {what} is {word}.")
        combined[key] = own if value is None else value
    return combined
