"""Export well-known models and print a row for each: how far both artifacts lie from their source.

The weights are random, none of them all zero, with batch normalization that has seen one batch, so
that the outputs depend on the images. Images are 96 x 96.

    python scripts/export_models.py                       # all
    python scripts/export_models.py vit_b_16 DenseNet121  # torchvision's, Keras applications'
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

SIZE = 96
TORCHVISION = (
    "resnet18", "resnet50", "mobilenet_v2", "mobilenet_v3_small", "mobilenet_v3_large",
    "efficientnet_b0", "convnext_tiny", "regnet_y_400mf", "shufflenet_v2_x1_0", "vit_b_16",
)  # fmt: skip
KERAS = ("MobileNetV2", "EfficientNetB0", "ResNet50V2", "DenseNet121")
OWN = ("transformer", "unet", "lstm", "lstm1")  # defined below; lstm1 has a batch of 1


def torchvision_signature(name: str):
    """The signature of a torchvision model that takes images channels-last."""
    import torch
    import torchvision

    import export
    from export.sources import ChannelsLast

    torch.manual_seed(0)
    settings = {"image_size": SIZE} if name.startswith("vit") else {}
    model = torchvision.models.get_model(name, weights=None, **settings)
    with torch.no_grad():
        for weight in model.parameters():
            if weight.ndim > 1 and not weight.any():  # the head of a vision transformer
                torch.nn.init.normal_(weight, std=0.02)
        model.train()(torch.randn(8, 3, SIZE, SIZE))
    image = ("image", "float32", [None, SIZE, SIZE, 3])
    return export.Signature("serving_default", ChannelsLast(model.eval(), [4]), [image], ["logits"])


def keras_signature(name: str):
    """The signature of one of Keras' applications."""
    import torchtf as tf
    from torchtf.saved_model import keras_function, signature_of

    tf.keras.utils.set_random_seed(0)
    model = getattr(tf.keras.applications, name)(
        weights=None, input_shape=(SIZE, SIZE, 3), classifier_activation=None
    )
    model(tf.random.normal([8, SIZE, SIZE, 3]), training=True)
    return signature_of("serving_default", keras_function(model))


def own_signature(name: str):
    """A transformer encoder with an attention mask, a U-Net, or two LSTM layers over tokens."""
    import torchtf as tf
    from torchtf.saved_model import keras_function, signature_of

    layers = tf.keras.layers
    tf.keras.utils.set_random_seed(0)
    if name == "transformer":
        x = tokens = tf.keras.Input((32, 64), name="tokens")
        mask = tf.keras.Input((32, 32), dtype="bool", name="mask")
        for _ in range(2):
            attended = layers.MultiHeadAttention(4, 16)(x, x, attention_mask=mask)
            x = layers.LayerNormalization()(x + attended)
            hidden = layers.Dense(64)(layers.Dense(128, "gelu")(x))
            x = layers.LayerNormalization()(x + hidden)
        model = tf.keras.Model([tokens, mask], x)
    elif name == "unet":
        x = image = tf.keras.Input((SIZE, SIZE, 3))
        skips = []
        for filters in (8, 16):
            x = layers.Conv2D(filters, 3, padding="same", activation="relu")(x)
            skips.append(x)
            x = layers.MaxPooling2D()(x)
        x = layers.Conv2D(32, 3, padding="same", activation="relu")(x)
        for filters, skip in ((16, skips[1]), (8, skips[0])):
            x = layers.Conv2DTranspose(filters, 2, 2)(x)
            x = layers.Concatenate()([x, skip])
            x = layers.Conv2D(filters, 3, padding="same", activation="relu")(x)
        model = tf.keras.Model(image, layers.Conv2D(2, 1)(x))
    else:
        batch = 1 if name == "lstm1" else None
        tokens = tf.keras.Input((32,), batch_size=batch, dtype="int32")
        x = layers.LSTM(64, return_sequences=True)(layers.Embedding(100, 32)(tokens))
        model = tf.keras.Model(tokens, layers.Dense(10)(layers.LSTM(64)(x)))
    return signature_of("serving_default", keras_function(model, named=True))


def row(name: str) -> tuple[str, ...]:
    """Name, errors of SavedModel and TFLite file, operators, TRANSPOSE among them, and seconds."""
    import export
    from export.pipeline import references

    made = own_signature if name in OWN else torchvision_signature
    signature = (keras_signature if name in KERAS else made)(name)
    start, options = time.perf_counter(), export.Options(quiet=True)
    wanted = references(signature)
    with tempfile.TemporaryDirectory() as scratch:
        folder, file = Path(scratch, "model"), Path(scratch, "model.tflite")
        (model,) = export.export_saved_model(signature, folder, options=options).artifacts
        (lite,) = export.convert_saved_model(folder, file, options=options, wanted=wanted).artifacts
    operators = lite.operators["serving_default"]
    source = "torchvision" if made is torchvision_signature and name not in KERAS else "Keras"
    return (
        f"{source} {name}",
        *(f"{max(c.largest for c in artifact.checks):.1e}" for artifact in (model, lite)),
        str(sum(operators.values())),
        str(operators.get("TRANSPOSE", 0)),
        f"{time.perf_counter() - start:.0f}",
    )


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("models", nargs="*", default=[*TORCHVISION, *KERAS, *OWN])
    titles = "model", "SavedModel", "TFLite", "operators", "TRANSPOSE", "seconds"
    print(f"| {' | '.join(titles)} |\n|{' --- |' * len(titles)}")
    for name in parser.parse_args().models:
        print(f"| {' | '.join(row(name))} |", flush=True)


if __name__ == "__main__":
    main()
