"""Ops of `gen_image_ops` that are more than a call."""

from __future__ import annotations

import collections

import torchtf as tf

_Combined = collections.namedtuple(
    "CombinedNonMaxSuppression",
    ["nmsed_boxes", "nmsed_scores", "nmsed_classes", "valid_detections"],
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
