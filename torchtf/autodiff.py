"""`tf.autodiff`: Jacobian-vector products by `ForwardAccumulator`."""

from __future__ import annotations

import weakref

import torch

from torchtf.core import nest, tape
from torchtf.core.convert import convert_to_tensor
from torchtf.core.dtypes import as_dtype
from torchtf.core.shape import TensorShape
from torchtf.core.tape import GradientTape
from torchtf.core.tensor import wrap

__all__ = ["ForwardAccumulator", "GradientTape"]


class ForwardAccumulator:
    """Computes Jacobian-vector products of what is computed in its context.

    (source: `tf.autodiff.ForwardAccumulator`)

    A Jacobian-vector product is the derivative, with respect to a vector, of the vector-Jacobian
    product with that vector. So it comes from the same recording as gradients do, and accumulators
    and tapes nest in any order.

    Args:
        primals: tensors or variables, or a structure of them.
        tangents: the vectors, in the same structure.

    Raises:
        ValueError: if a primal occurs twice, or a tangent does not fit its primal.
    """

    def __init__(self, primals, tangents):
        nest.assert_same_structure(primals, tangents)
        self._primals = nest.flatten(primals)
        self._tangents = [
            convert_to_tensor(t, as_dtype(p.dtype))  # a Keras variable has the dtype's name
            for p, t in zip(self._primals, nest.flatten(tangents), strict=True)
        ]
        if len({id(p) for p in self._primals}) < len(self._primals):
            raise ValueError(
                "Tensor {} was specified as a primal multiple times. This may indicate an error. "
                "If it was intended, please sum the corresponding tangents."
            )
        for primal, tangent in zip(self._primals, self._tangents, strict=True):
            if not TensorShape(primal.shape).is_compatible_with(tangent.shape):
                raise ValueError(
                    f"The tangent {tangent} does not fit the primal {primal}: shapes must agree."
                )
        self._tape = GradientTape(persistent=True, watch_accessed_variables=False)
        self._recording = False

    def __enter__(self):
        if self._recording:
            raise ValueError("Accumulator is already recording.")
        self._tape.__enter__()
        self._tape.watch(self._primals)
        self._recording = True
        return self

    def __exit__(self, *exc):
        if self._recording:
            self._tape.__exit__(*exc)
            self._recording = False

    def jvp(self, primals, unconnected_gradients=tape.UnconnectedGradients.NONE):
        """The Jacobian-vector products of results computed in the context.

        Args:
            primals: a tensor or variable, or a structure of them.
            unconnected_gradients: "none" or "zero", what to return where no source has influence.

        Returns:
            A structure like `primals` of tensors or None.
        """
        zero = unconnected_gradients == tape.UnconnectedGradients.ZERO

        def one(target):
            for primal, tangent in zip(self._primals, self._tangents, strict=True):
                if target is primal:
                    return tangent
            found = self._product(convert_to_tensor(target))
            return tape._zeros_like(target) if found is None and zero else found

        return nest.map_structure(one, primals)

    def _pairs(self, primal, tangent):
        """The tensors that stand for a primal, with their tangents."""
        if self._tape._session is None:  # the context was never entered
            return []
        handles = self._tape._handles(primal)
        return [
            (h.tensor, tangent if h.indices is None else tangent.index_select(0, h.indices))
            for h in handles
            if h.source is handles[0].source  # the value that it had at first
        ]

    def _product(self, target):
        data = target._data
        pairs = [
            pair
            for primal, tangent in zip(self._primals, self._tangents, strict=True)
            for pair in self._pairs(primal, tangent._data)
        ]
        if not pairs or not isinstance(data, torch.Tensor) or not data.requires_grad:
            return None
        handles, tangents = zip(*pairs, strict=True)
        # an accumulator or tape around this one may differentiate the product; those inside do not
        session = self._tape._session
        create_graph = self._tape._number > 1
        with torch.enable_grad(), self._tape._own_part(data):
            cotangent = torch.zeros_like(data, requires_grad=True)
            found = torch.autograd.grad(
                data, handles, cotangent, create_graph=True, allow_unused=True
            )
            used = [(g, t) for g, t in zip(found, tangents, strict=True)
                    if g is not None and g.requires_grad]  # fmt: skip
            if not used:
                return None
            products, weights = zip(*used, strict=True)
            (result,) = torch.autograd.grad(
                products, cotangent, weights, create_graph=create_graph, allow_unused=True
            )
        if result is None:
            return None
        product = wrap(result.detach())
        if create_graph:
            product._data = result
            session.recorded.append(weakref.ref(product))
        return product
