"""Graphs and their collections, as eager programs meet them: there is nothing to collect in.

What initializes variables or tables returns None, as they are initialized when they are made.
"""

from __future__ import annotations

import contextlib

import torchtf as tf
from torchtf.core import graph
from torchtf.function import func_graph


class GraphKeys:
    """The standard names of collections (source: `tf.compat.v1.GraphKeys`)."""

    ACTIVATIONS = "activations"
    ASSET_FILEPATHS = "asset_filepaths"
    BIASES = "biases"
    CONCATENATED_VARIABLES = "concatenated_variables"
    COND_CONTEXT = "cond_context"
    EVAL_STEP = "eval_step"
    GLOBAL_STEP = "global_step"
    GLOBAL_VARIABLES = "variables"
    INIT_OP = "init_op"
    LOCAL_INIT_OP = "local_init_op"
    LOCAL_RESOURCES = "local_resources"
    LOCAL_VARIABLES = "local_variables"
    LOSSES = "losses"
    METRIC_VARIABLES = "metric_variables"
    MODEL_VARIABLES = "model_variables"
    MOVING_AVERAGE_VARIABLES = "moving_average_variables"
    QUEUE_RUNNERS = "queue_runners"
    READY_FOR_LOCAL_INIT_OP = "ready_for_local_init_op"
    READY_OP = "ready_op"
    REGULARIZATION_LOSSES = "regularization_losses"
    RESOURCES = "resources"
    SAVEABLE_OBJECTS = "saveable_objects"
    SAVERS = "savers"
    SUMMARIES = "summaries"
    SUMMARY_OP = "summary_op"
    TABLE_INITIALIZERS = "table_initializer"
    TRAINABLE_RESOURCE_VARIABLES = "trainable_resource_variables"
    TRAINABLE_VARIABLES = "trainable_variables"
    TRAIN_OP = "train_op"
    UPDATE_OPS = "update_ops"
    VARIABLES = "variables"
    WEIGHTS = "weights"
    WHILE_CONTEXT = "while_context"


def get_collection(key, scope=None) -> list:
    """An empty list: nothing is collected eagerly."""
    return []


get_collection_ref = get_collection


def add_to_collection(name, value) -> None:
    """Does nothing: nothing is collected eagerly."""


def add_to_collections(names, value) -> None:
    """Does nothing: nothing is collected eagerly."""


def _empty(scope=None) -> list:
    """An empty list: no variables are collected eagerly; objects have theirs."""
    return []


all_variables = global_variables = local_variables = model_variables = _empty
moving_average_variables = trainable_variables = _empty


def _nothing() -> None:
    """None: variables and tables are initialized when they are made."""


global_variables_initializer = initialize_all_variables = _nothing
local_variables_initializer = initialize_local_variables = _nothing


def tables_initializer(name="init_all_tables") -> None:
    """None: a table is initialized when it is made."""


initialize_all_tables = tables_initializer


def variables_initializer(var_list, name="init") -> None:
    """None: a variable is initialized when it is made."""


initialize_variables = variables_initializer


def is_variable_initialized(variable):
    """A true scalar."""
    return variable.is_initialized()


def get_default_graph():
    """The graph of the function that is being traced, else one that stays empty."""
    return func_graph.outside() if graph.state.trace is None else graph.state.trace.graph


def reset_default_graph() -> None:
    """Does nothing: there is no graph outside functions."""


def get_default_session() -> None:
    """None: there are no sessions."""


@contextlib.contextmanager
def colocate_with(op, ignore_existing=False):
    """A context in which ops run on the device of a tensor or variable."""
    with tf.device(op.device):
        yield


def placeholder_with_default(input, shape, name=None):
    """The default as a tensor, as nothing can be fed eagerly.

    Raises:
        ValueError: if the default does not have the shape.
    """
    value = tf.convert_to_tensor(input, name=name)
    if not value.shape.is_compatible_with(tf.TensorShape(shape)):
        raise ValueError(f"The default has the shape {value.shape}, which is not {shape}")
    return value
