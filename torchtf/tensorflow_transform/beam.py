"""`tensorflow_transform.beam` is not there: its names raise NotImplementedError."""


def __getattr__(name: str):
    if name.startswith("__"):
        raise AttributeError(name)
    raise NotImplementedError(
        f"tensorflow_transform.beam.{name}: there is no Apache Beam here; run the preprocessing_fn "
        "with tfx.components.Transform, in a pipeline or an InteractiveContext"
    )
