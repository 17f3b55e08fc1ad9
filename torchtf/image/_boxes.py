"""Boxes: choosing the best of many that overlap, and drawing them.

A box is [y1, x1, y2, x2]. How many are chosen depends on values, so choosing runs on the host.
"""

from __future__ import annotations

import heapq
import math
from typing import NamedTuple

import numpy as np
import torch

from torchtf.core import errors
from torchtf.core.convert import convert_to_tensor
from torchtf.core.host_op import host_op
from torchtf.core.op import op
from torchtf.core.tensor import Tensor


def _invalid(message):
    return errors.InvalidArgumentError(None, None, message)


def _check_scores(scores, count):
    if scores.ndim != 1:
        raise _invalid(
            f"scores must be 1-D{list(scores.shape)} (Shape must be rank 1 but is rank "
            f"{scores.ndim})"
        )
    if len(scores) != count:
        raise _invalid(
            f"scores has incompatible shape (Dimensions must be equal, but are {count} and "
            f"{len(scores)})"
        )


def _check_boxes(boxes, scores):
    if boxes.ndim != 2:
        raise _invalid(
            f"boxes must be 2-D{list(boxes.shape)} (Shape must be rank 2 but is rank {boxes.ndim})"
        )
    if boxes.shape[1] != 4:
        raise _invalid(f"boxes must have 4 columns (Dimension must be 4 but is {boxes.shape[1]})")
    _check_scores(scores, len(boxes))


def _check_options(size, iou_threshold):
    if size < 0:
        raise _invalid("output size must be non-negative")
    if not 0 <= iou_threshold <= 1:
        raise _invalid("iou_threshold must be in [0, 1]")


def _corners(boxes):
    """Boxes with their lower corner first."""
    low = np.minimum(boxes[..., :2], boxes[..., 2:])
    return np.concatenate([low, np.maximum(boxes[..., :2], boxes[..., 2:])], -1)


def _overlaps(box, others):
    """The share of a box and each of others that both cover; all with their lower corner first."""
    low = np.maximum(box[:2], others[:, :2])
    high = np.minimum(box[2:], others[:, 2:])
    common = np.prod(np.maximum(high - low, 0), 1)
    area, areas = np.prod(box[2:] - box[:2]), np.prod(others[:, 2:] - others[:, :2], 1)
    union = area + areas - common
    valid = (area > 0) & (areas > 0)
    return np.where(valid, common / np.where(valid, union, 1), 0).astype(np.float32)


def _greedy(scores, size, score_threshold, suppressed_by):
    """Indices by falling score, without those that a better one suppresses.

    Args:
        suppressed_by: a function of an index that tells which of all it suppresses.
    """
    order = np.argsort(-scores, kind="stable")
    order = order[scores[order] > score_threshold]
    chosen, gone = [], np.zeros(len(scores), bool)
    for i in order.tolist():
        if len(chosen) >= size:
            break
        if not gone[i]:
            chosen.append(i)
            gone |= suppressed_by(i)
    return np.array(chosen, np.int32)


def _hard(boxes, scores, size, iou_threshold, score_threshold):
    corners = _corners(boxes.astype(np.float32))
    return _greedy(
        scores, size, score_threshold, lambda i: _overlaps(corners[i], corners) > iou_threshold
    )


def _scalar(x):
    return x.item() if hasattr(x, "item") else x


@host_op("NonMaxSuppressionV3", out="int32", shape=lambda *args: [None])
def _non_max_suppression(
    boxes: Float, scores: Float2, size: Int32, iou_threshold: Double, score_threshold: Double
):
    _check_options(_scalar(size), _scalar(iou_threshold))
    _check_boxes(boxes, scores)
    return _hard(boxes, scores, *map(_scalar, (size, iou_threshold, score_threshold)))


def non_max_suppression(
    boxes, scores, max_output_size, iou_threshold=0.5, score_threshold=float("-inf"), name=None
):
    """Chooses boxes greedily, dropping those that overlap a better one.

    Source: `tf.image.non_max_suppression`.

    Args:
        boxes: [n, 4], float; any two opposite corners.
        scores: [n], float.
        max_output_size: the largest number to choose.
        iou_threshold: the overlap (intersection over union) above which a box is dropped.
        score_threshold: the score that a box must exceed.

    Returns:
        int32 indices, best first.

    Raises:
        InvalidArgumentError: if shapes or thresholds do not fit.
    """
    return _non_max_suppression(
        boxes, scores, max_output_size, iou_threshold, score_threshold, name
    )


@host_op("NonMaxSuppressionV5", out=("int32", "float32"))
def _soft_non_max_suppression(boxes: Float, scores: Float2, size, iou_threshold, minimum, sigma):
    _check_options(_scalar(size), iou_threshold)
    _check_boxes(boxes, scores)
    corners = _corners(boxes.astype(np.float32))
    scale = np.float32(-0.5 / sigma) if sigma > 0 else None
    # the best candidate first: its score, index, and how many of the chosen it has met
    queue = [(-s, i, 0) for i, s in enumerate(scores.tolist()) if s > minimum]
    heapq.heapify(queue)
    chosen, chosen_scores = [], []
    while queue and len(chosen) < size:
        negative, i, met = heapq.heappop(queue)
        score = np.float32(-negative)
        found, dropped = score, False
        if chosen[met:]:
            for overlap in _overlaps(corners[i], corners[chosen[met:]])[::-1]:
                if scale is not None:
                    found *= np.exp(scale * overlap * overlap)
                elif overlap > iou_threshold:
                    dropped = True
                    break
                if found <= minimum:
                    break
        if dropped:
            continue
        if found == score:
            chosen.append(i)
            chosen_scores.append(score)
        elif found > minimum:
            heapq.heappush(queue, (-float(found), i, len(chosen)))
    return np.array(chosen, np.int32), np.array(chosen_scores, scores.dtype)


def non_max_suppression_with_scores(
    boxes, scores, max_output_size, iou_threshold=0.5, score_threshold=float("-inf"),
    soft_nms_sigma=0.0, name=None,
):  # fmt: skip
    """`non_max_suppression` that may lower the scores of overlapping boxes instead.

    Source: `tf.image.non_max_suppression_with_scores`.

    Args:
        boxes, scores, max_output_size, iou_threshold, score_threshold: as for
            `non_max_suppression`.
        soft_nms_sigma: if positive, a score is multiplied by exp(-overlap ** 2 / (2 sigma)) for
            each better box, and no box is dropped for its overlap.

    Returns:
        int32 indices, and the scores of the boxes chosen.
    """
    size = int(max_output_size)
    return _soft_non_max_suppression(
        boxes, scores, size, float(iou_threshold), float(score_threshold), float(soft_nms_sigma),
        name,
    )  # fmt: skip


@host_op("NonMaxSuppressionWithOverlaps", out="int32", shape=lambda *args: [None])
def _by_overlaps(overlaps: Float32, scores: Float2, size: Int32, threshold, minimum):
    if overlaps.ndim != 2 or overlaps.shape[0] != overlaps.shape[1]:
        raise _invalid(f"overlaps must be square{list(overlaps.shape)}")
    _check_scores(scores, len(overlaps))
    return _greedy(scores, _scalar(size), minimum, lambda i: overlaps[:, i] > threshold)


def non_max_suppression_overlaps(
    overlaps, scores, max_output_size, overlap_threshold=0.5, score_threshold=float("-inf"),
    name=None,
):  # fmt: skip
    """Suppression by known overlaps (source: `tf.image.non_max_suppression_overlaps`).

    Args:
        overlaps: [n, n], float32.
        scores, max_output_size, score_threshold: as for `non_max_suppression`.
        overlap_threshold: the overlap above which a box is dropped.
    """
    return _by_overlaps(
        overlaps, scores, max_output_size, float(overlap_threshold), float(score_threshold), name
    )


def _padded_choice(boxes, scores, size, iou_threshold, minimum, ordered, canonical):
    """Boxes sorted by score, dropped where a better one covers them; zeros count as none."""
    boxes, scores = boxes.astype(np.float32), scores.astype(np.float32)
    if minimum > -math.inf:
        keep = scores > minimum
        scores, boxes = scores * keep, boxes * keep[:, None]
    if not canonical:
        boxes = _corners(boxes)
    order = np.arange(len(scores)) if ordered else np.argsort(-scores, kind="stable")
    boxes = boxes[order]
    chosen, gone = [], ~(boxes > 0).any(1)
    for i in range(len(boxes)):
        if len(chosen) >= size:
            break
        if not gone[i]:
            chosen.append(i)
            gone |= _overlaps(boxes[i], boxes) >= iou_threshold
    found = np.zeros(size, np.int32)
    found[: len(chosen)] = chosen if ordered else order[chosen]
    return found, len(chosen)


@host_op("NonMaxSuppressionPaddedV2", out=("int32", "int32"))
def _padded(boxes: Float, scores: Float2, size, iou_threshold, minimum, ordered, canonical):
    outer = boxes.shape[:-2]
    flat_boxes = boxes.reshape(-1, *boxes.shape[-2:])
    flat_scores = scores.reshape(-1, scores.shape[-1])
    results = [
        _padded_choice(b, s, size, iou_threshold, minimum, ordered, canonical)
        for b, s in zip(flat_boxes, flat_scores, strict=True)
    ]
    indices = np.stack([r[0] for r in results]).reshape(*outer, size)
    return indices, np.array([r[1] for r in results], np.int32).reshape(outer)


def non_max_suppression_padded(
    boxes, scores, max_output_size, iou_threshold=0.5, score_threshold=float("-inf"),
    pad_to_max_output_size=False, name=None, sorted_input=False, canonicalized_coordinates=False,
    tile_size=512,
):  # fmt: skip
    """`non_max_suppression` for batches, padded to one length.

    Source: `tf.image.non_max_suppression_padded`.

    Args:
        boxes: [..., n, 4]; boxes of zeros count as none.
        scores: [..., n].
        max_output_size, score_threshold: as for `non_max_suppression`.
        iou_threshold: the overlap from which on a box is dropped.
        pad_to_max_output_size: whether the indices are padded with zeros; must be True for batches.
        sorted_input: whether the boxes are sorted by score.
        canonicalized_coordinates: whether the lower corner comes first in each box.
        tile_size: how many boxes TensorFlow compares at a time; the result does not depend on it.

    Returns:
        int32 indices [..., max_output_size], and how many are valid.

    Raises:
        ValueError: for batches that are not to be padded.
    """
    boxes, scores = convert_to_tensor(boxes), convert_to_tensor(scores)
    if not pad_to_max_output_size and boxes.shape.rank > 2:
        raise ValueError(
            f"'pad_to_max_output_size' (value {pad_to_max_output_size}) must be True for batched "
            "input"
        )
    indices, count = _padded(
        boxes, scores, int(max_output_size), float(iou_threshold), float(score_threshold),
        sorted_input, canonicalized_coordinates,
    )  # fmt: skip
    return (indices if pad_to_max_output_size else indices[: int(count)]), count


class CombinedNonMaxSuppression(NamedTuple):
    """What `combined_non_max_suppression` returns."""

    nmsed_boxes: Tensor
    nmsed_scores: Tensor
    nmsed_classes: Tensor
    valid_detections: Tensor


@host_op("CombinedNonMaxSuppression", out=("float32", "float32", "float32", "int32"))
def _combined(boxes: Float32, scores: Float2, per_class, total, iou, minimum, pad, clip):
    if boxes.ndim != 4 or boxes.shape[-1] != 4:
        raise _invalid(f"boxes must be 4-D{list(boxes.shape)}")
    if scores.ndim != 3 or scores.shape[:2] != boxes.shape[:2]:
        raise _invalid(f"scores must be 3-D{list(scores.shape)}")
    if not 0 <= iou <= 1:
        raise _invalid("iou_threshold must be in [0, 1]")
    classes = scores.shape[2]
    if boxes.shape[2] not in (1, classes):
        raise _invalid(
            f"third dimension of boxes must be either 1 or num classes, got {boxes.shape[2]}"
        )
    length = min(total, per_class * classes) if pad else total
    out = [np.zeros((len(boxes), length, *tail), np.float32) for tail in ((4,), (), ())]
    counts = np.zeros(len(boxes), np.int32)
    for b in range(len(boxes)):
        found = []  # score, class, box
        for c in range(classes):
            own = boxes[b, :, c if boxes.shape[2] > 1 else 0]
            for i in _hard(own, scores[b, :, c], per_class, iou, minimum).tolist():
                found.append((scores[b, i, c], c, own[i]))
        found.sort(key=lambda f: -f[0])
        counts[b] = len(found[:length])
        for k, (score, c, box) in enumerate(found[:length]):
            out[0][b, k] = np.clip(box, 0, 1) if clip else box
            out[1][b, k], out[2][b, k] = score, c
    return (*out, counts)


def combined_non_max_suppression(
    boxes, scores, max_output_size_per_class, max_total_size, iou_threshold=0.5,
    score_threshold=float("-inf"), pad_per_class=False, clip_boxes=True, name=None,
):  # fmt: skip
    """Chooses boxes for each class by itself, then the best of all classes.

    Source: `tf.image.combined_non_max_suppression`.

    Args:
        boxes: [batch, n, q, 4], float32; q is 1 or the number of classes.
        scores: [batch, n, classes], float32.
        max_output_size_per_class, max_total_size: the largest numbers to choose.
        iou_threshold, score_threshold: as for `non_max_suppression`.
        pad_per_class: whether the length is no more than the classes can fill.
        clip_boxes: whether boxes are cut to [0, 1].

    Returns:
        A named tuple of `nmsed_boxes`, `nmsed_scores` and `nmsed_classes`, padded with zeros, and
        `valid_detections`, how many are valid.
    """
    return CombinedNonMaxSuppression(
        *_combined(
            boxes,
            scores,
            int(max_output_size_per_class),
            int(max_total_size),
            float(iou_threshold),
            float(score_threshold),
            pad_per_class,
            clip_boxes,
            name,
        )
    )


def generate_bounding_box_proposals(
    scores, bbox_deltas, image_info, anchors, nms_threshold=0.7, pre_nms_topn=6000, min_size=16,
    post_nms_topn=300, name=None,
):  # fmt: skip
    """Not supported (source: `tf.image.generate_bounding_box_proposals`, for GPUs only)."""
    raise NotImplementedError(
        "tf.image.generate_bounding_box_proposals: decode the anchors with tf ops and choose with "
        "tf.image.non_max_suppression"
    )


# -- drawing

_COLOURS = (
    (1, 1, 0, 1), (0, 0, 1, 1), (1, 0, 0, 1), (0, 1, 0, 1), (0.5, 0, 0.5, 1), (0.5, 0.5, 0, 1),
    (0.5, 0, 0, 1), (0, 0, 0.5, 1), (0, 1, 1, 1), (1, 0, 1, 1),
)  # fmt: skip


@op("DrawBoundingBoxesV2")
def _draw(images: Float, boxes: Float32, colours):
    if images.dim() != 4:
        raise _invalid("The rank of the images should be 4")
    if boxes.dim() != 3:
        raise _invalid("The rank of the boxes tensor should be 3")
    depth = images.shape[3]
    if depth not in (1, 3, 4):
        raise _invalid("Channel depth should be either 1 (GRY), 3 (RGB), or 4 (RGBA)")
    if boxes.shape[2] != 4:
        raise _invalid(
            f"The size of the third dimension of the box must be 4. Received: {boxes.shape[2]}"
        )
    both = images.shape[0], boxes.shape[0]
    if all(isinstance(s, int) for s in both) and both[0] != both[1]:
        raise _invalid("The batch sizes should be the same")
    height, width = images.shape[1:3]
    last = torch.tensor([height - 1, width - 1] * 2, dtype=torch.float32, device=images.device)
    pixels = torch.trunc(boxes * last).to(torch.int64)
    rows = torch.arange(height, device=images.device)[:, None]
    columns = torch.arange(width, device=images.device)
    for i in range(boxes.shape[1]):
        top, left, bottom, right = (p[:, None, None] for p in pixels[:, i].unbind(1))
        within = (rows >= top) & (rows <= bottom) & (columns >= left) & (columns <= right)
        edge = (rows == top) | (rows == bottom) | (columns == left) | (columns == right)
        colour = colours[i % len(colours)][:depth].to(images.dtype)
        images = torch.where((within & edge).unsqueeze(-1), colour, images)
    return images


@op("DrawBoundingBoxesV2")
def _draw_in(images: Float, boxes: Float32, colors: Float32):
    if colors.dim() != 2:
        raise _invalid(f"colors must be a 2-D matrix{list(colors.shape)}")
    if colors.shape[1] < images.shape[-1]:
        raise _invalid(
            f"colors must have equal or more channels than the image provided: {list(colors.shape)}"
        )
    return _draw.op.body(images, boxes, list(colors.unbind(0)))


def draw_bounding_boxes(images, boxes, colors, name=None):
    """Draws the outlines of boxes (source: `tf.image.draw_bounding_boxes`).

    Args:
        images: [batch, height, width, depth], float16 or float32; depth 1, 3 or 4.
        boxes: [batch, n, 4], float32, in shares of height and width.
        colors: [m, depth], used in turn; None for ten default colours.

    Raises:
        InvalidArgumentError: for shapes that do not fit.
    """
    if colors is not None:
        colors = convert_to_tensor(colors, dtype_hint="float32")
        if colors.shape.num_elements() != 0:
            return _draw_in(images, boxes, colors, name)
    images = convert_to_tensor(images)
    depth = images._data.shape[-1] if images.shape.rank else 0
    table = torch.tensor(_COLOURS, device=images._data.device)
    if depth == 1:
        table[:, 0] = 1
    return _draw(images, boxes, list(table.unbind(0)), name)
