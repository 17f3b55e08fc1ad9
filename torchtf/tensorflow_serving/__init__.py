"""The messages and stubs of the package tensorflow-serving-api, for clients of a model server.

`apis` and `config` have that package's modules. A `TensorProto` in them is the one of
`tf.make_tensor_proto`, an `Example` the one of `tf.train`. What goes over the wire is TensorFlow
Serving's, so its server and clients understand it, and those of `torchtf.serving`.
"""
