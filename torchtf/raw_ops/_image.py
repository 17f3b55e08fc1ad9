"""Ops of `gen_image_ops` that are more than a call."""

from __future__ import annotations

import collections

import torchtf as tf

_Combined = collections.namedtuple(
    "CombinedNonMaxSuppression",
    ["nmsed_boxes", "nmsed_scores", "nmsed_classes", "valid_detections"],
)

_Padded = collections.namedtuple("NonMaxSuppressionV4", ["selected_indices", "valid_outputs"])
_Scored = collections.namedtuple(
    "NonMaxSuppressionV5", ["selected_indices", "selected_scores", "valid_outputs"]
)


def AdjustContrastv2(images, contrast_factor, name=None):
    return tf.identity(tf.image.adjust_contrast(images, contrast_factor), name=name)


def CombinedNonMaxSuppression(
    boxes, scores, max_output_size_per_class, max_total_size, iou_threshold, score_threshold,
    pad_per_class=False, clip_boxes=True, name=None,
):  # fmt: skip
    made = tf.image.combined_non_max_suppression(
        boxes, scores, max_output_size_per_class, max_total_size, iou_threshold, score_threshold,
        pad_per_class, clip_boxes, name,
    )  # fmt: skip
    return _Combined(*made)


def _filled(x, size, pad):
    """A vector, with zeros up to a size if it is to be padded."""
    return tf.pad(x, [[0, size - tf.shape(x)[0]]]) if pad else x


def NonMaxSuppressionV4(
    boxes, scores, max_output_size, iou_threshold, score_threshold,
    pad_to_max_output_size=False, name=None,
):  # fmt: skip
    """The boxes that are chosen, and how many they are."""
    chosen = tf.image.non_max_suppression(
        boxes, scores, max_output_size, iou_threshold, score_threshold, name
    )
    filled = _filled(chosen, max_output_size, pad_to_max_output_size)
    return _Padded(filled, tf.shape(chosen)[0])


def NonMaxSuppressionV5(
    boxes, scores, max_output_size, iou_threshold, score_threshold, soft_nms_sigma,
    pad_to_max_output_size=False, name=None,
):  # fmt: skip
    """The boxes that are chosen, their scores then, and how many they are."""
    chosen, found = tf.image.non_max_suppression_with_scores(
        boxes, scores, max_output_size, iou_threshold, score_threshold, soft_nms_sigma, name
    )
    filled = (_filled(x, max_output_size, pad_to_max_output_size) for x in (chosen, found))
    return _Scored(*filled, tf.shape(chosen)[0])
