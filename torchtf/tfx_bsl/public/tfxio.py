"""`tfx_bsl.public.tfxio`: how a dataset is made of examples."""

from torchtf.tfx_bsl.tfxio.dataset_options import RecordBatchesOptions, TensorFlowDatasetOptions

__all__ = ["RecordBatchesOptions", "TensorFlowDatasetOptions"]
