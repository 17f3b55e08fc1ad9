"""`tensorflow.python.ops.control_flow_util`: questions about the kind of graph."""

from torchtf.python.framework.smart_cond import smart_cond  # noqa: F401

# Control flow is functional, always.
ENABLE_CONTROL_FLOW_V2 = True


def EnableControlFlowV2(graph) -> bool:
    """Always True."""
    return True


def GraphOrParentsInXlaContext(graph) -> bool:
    """Always False: no graph here is one of XLA's."""
    return False


def IsInXLAContext(op) -> bool:
    """Always False: no op here is one of XLA's."""
    return False
