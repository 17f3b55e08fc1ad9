"""Boxes, crops and patches of `tf.image` against TensorFlow."""

from __future__ import annotations

import numpy as np

from tests.oracle import case, cases, each, integers, uniform


def _boxes(n, seed=0):
    corner = uniform(0, 1, n, 2, seed=seed)
    return np.concatenate([corner, corner + uniform(0.1, 0.5, n, 2, seed=seed)], 1)


INPUTS = {
    "b": _boxes(30), "s": uniform(0, 1, 30), "bb": np.stack([_boxes(20), _boxes(20, 1)]),
    "ss": uniform(0, 1, 2, 20), "classes": uniform(0, 1, 2, 20, 3), "o": uniform(0, 1, 30, 30),
    "flipped": _boxes(30)[:, [2, 3, 0, 1]],
    "per": np.stack([np.stack([_boxes(20, i + 3 * j) for i in range(3)], 1) for j in range(2)]),
    "x": uniform(0, 1, 2, 10, 12, 3), "g": uniform(0, 1, 2, 10, 12, 1),
    "i": integers(0, 99, 2, 10, 12, 3), "u": integers(0, 256, 2, 10, 12, 3, dtype="uint8"),
    "d": np.float32([[[0.1, 0.2, 0.6, 0.7]] * 12, [[-0.5, 0.2, 0.6, 1.7], [0.5, 0.5, 0.4, 0.6]] * 6]),
}  # fmt: skip


@cases(
    INPUTS,
    [
        *each(
            "tf.image.non_max_suppression(b, s, {})",
            ["10", "100", "0", "10, 0.2", "10, 0.9", "10, 0.5, 0.6"],
        ),
        "tf.image.non_max_suppression(flipped, s, 10)",
        "tf.image.non_max_suppression(b, s, -1)",
        "tf.image.non_max_suppression(b, s[:3], 10)",
        "tf.image.non_max_suppression(b[:, :3], s, 10)",
        "tf.image.non_max_suppression(b, s, 10, 1.5)",
        "tf.image.non_max_suppression(bb, s, 10)",
        *each(
            "tf.image.non_max_suppression_with_scores(b, s, {})",
            ["10", "20, 0.3", "10, soft_nms_sigma=0.5", "30, 0.5, 0.3, soft_nms_sigma=0.2"],
        ),
        *each("tf.image.non_max_suppression_overlaps(o, s, {})", ["10", "10, 0.9", "10, 0.9, 0.4"]),
        "tf.image.non_max_suppression_overlaps(o[:3], s, 10)",
        *each(
            "tf.image.non_max_suppression_padded(b, s, {})",
            [
                "10",
                "10, 0.3, pad_to_max_output_size=True",
                "10, 0.5, 0.5, pad_to_max_output_size=True",
            ],
        ),
        "tf.image.non_max_suppression_padded(bb, ss, 8, 0.4, pad_to_max_output_size=True)",
        "tf.image.non_max_suppression_padded(bb, ss, 8, 0.4)",
        *each(
            "tf.image.combined_non_max_suppression(bb[:, :, None], classes, {})",
            [
                "5, 8",
                "2, 20, 0.3",
                "3, 20, 0.3, pad_per_class=True",
                "5, 8, 0.5, 0.4, clip_boxes=False",
            ],
        ),
        "tf.image.combined_non_max_suppression(per, classes, 4, 9)",
        "tf.image.combined_non_max_suppression(bb, classes, 4, 9)",
    ],
    grad=False,
    traced=False,
)
def test_non_max_suppression(case):
    case.check()


@cases(
    INPUTS,
    [
        "tf.image.draw_bounding_boxes(x, d, None)",
        "tf.image.draw_bounding_boxes(g, d, None)",
        "tf.image.draw_bounding_boxes(x, d, [[0.1, 0.2, 0.3], [0.4, 0.5, 0.6]])",
        "tf.image.draw_bounding_boxes(tf.cast(x, tf.float16), d, None)",
        "tf.image.draw_bounding_boxes(x[0], d, None)",
        "tf.image.draw_bounding_boxes(x, d, [[1.0]])",
        "tf.image.draw_bounding_boxes(x, np.full([2, 1, 4], 1), np.array([[1, 0, 0]]))",
        "tf.image.draw_bounding_boxes(x, d[0], None)",
    ],
    grad=False,
)
def test_drawing(case):
    case.check()


@cases(
    INPUTS,
    [
        *[
            f"tf.image.extract_patches({x}, [1, 3, 2, 1], {s}, {r}, '{p}')"
            for x in "xi"
            for s, r in (([1, 1, 1, 1], [1, 1, 1, 1]), ([1, 5, 2, 1], [1, 2, 3, 1]))
            for p in ("SAME", "VALID")
        ],
        "tf.image.extract_patches(x, [3, 3], [1, 1, 1, 1], [1, 1, 1, 1], 'SAME')",
        "tf.image.extract_patches(x, [1, 3, 2, 1], [1, 1, 1, 1], [1, 1, 1, 1], 'same')",
        *[
            f"tf.image.crop_and_resize({x}, [[0.1, 0.2, 0.8, 0.9], [0.9, -0.3, 0.2, 1.3]], [0, 1], {s}, "
            f"'{m}', {v})"
            for x in "xu"
            for s, m, v in (
                ([4, 5], "bilinear", 0.0),
                ([14, 3], "nearest", 2.5),
                ([1, 1], "bilinear", 1.0),
            )
        ],
        "tf.image.crop_and_resize(x, [[0.1, 0.2, 0.8, 0.9]], [0], [4, 5], 'cubic')",
        "tf.image.crop_and_resize(x, [[0.1, 0.2, 0.8]], [0], [4, 5])",
        *each(
            "tf.image.crop_and_resize(x, np.array([[{}]]), np.array([1.0]), [4, 5])",
            ["0.1, 0.2, 0.8, 0.9", "0, 0, 1, 1"],
        ),
        "tf.image.crop_and_resize(x, [[0.1, 0.2, 0.8, 0.9]], [0], [0, 5])",
        *[
            case(
                f"tf.image.extract_glimpse(x, [4, 5], [[0.9, -0.9], [0.1, 0.2]], {c}, {n}, 'zero')",
                grad=False,
                static=("x",),
            )
            for c in (True, False)
            for n in (True, False)
        ],
        case(
            "tf.image.extract_glimpse(x, [4, 5], [[20.0, -3.0], [1.0, 2.0]], False, False, 'zero')",
            grad=False,
            static=("x",),
        ),
        *[
            case(
                f"tf.image.extract_glimpse(x, [4, 5], [[0.9, -0.9], [0.1, 0.2]], noise='{n}')",
                values=False,
                grad=False,
                static=("x",),
            )
            for n in ("uniform", "gaussian")
        ],
        "tf.image.extract_glimpse(x, [4, 5], [[0.9, -0.9], [0.1, 0.2]], noise='x')",
        "tf.image.extract_glimpse(x, [4, 5], [0.9, -0.9])",
        case(
            "tf.image.extract_glimpse([[[[1], [2]], [[3], [4]]]], (1, 1), [[1, 1]], False, False)",
            traced=False,
        ),
    ],
)
def test_patches(case):
    case.check()


SAMPLE = "sample_distorted_bounding_box([90, 120, 3], [[[0.1, 0.2, 0.7, 0.8]]]"


@cases(
    {},
    [
        *[f"tf.image.stateless_{SAMPLE}, ({i}, 7))" for i in range(5)],
        f"tf.image.stateless_{SAMPLE}, (1, 2), 0.9, (0.5, 2.0), (0.3, 0.9), 20)",
        "tf.image.stateless_sample_distorted_bounding_box([90, 120, 3], tf.zeros([1, 0, 4]), (1, 2), "
        "use_image_if_no_bounding_boxes=True)",
        "tf.image.stateless_sample_distorted_bounding_box([90, 120, 3], tf.zeros([1, 0, 4]), (1, 2))",
        "tf.image.stateless_sample_distorted_bounding_box([90, 120, 3], [[[0.0, 0.0, 1.0, 1.5]]], (1, 2))",
        f"tf.random.set_seed(4); [tf.image.{SAMPLE}, seed=3) for _ in range(3)]",
        f"tuple(tf.image.{SAMPLE})[0].shape)",
    ],
    grad=False,
    traced=False,
)
def test_sample_distorted_bounding_box(case):
    case.check()
