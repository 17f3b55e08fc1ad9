"""`tf.experimental.dtensor`: the same programs on TensorFlow and torchtf, on eight logical CPUs."""

import json

import numpy as np

from tests.conftest import results_of_both

PROGRAM = r"""
import importlib, json, os, pickle, sys, tempfile
import numpy as np

tf = importlib.import_module(sys.argv[1])
dtensor = tf.experimental.dtensor
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 8)
Layout, U = dtensor.Layout, dtensor.UNSHARDED
NAMES = [f"CPU:{i}" for i in range(8)]
mesh = dtensor.create_mesh([("x", 2), ("y", 2), ("z", 2)], devices=NAMES)
line = dtensor.create_mesh([("q", 8)], devices=NAMES)
found = {}


def seen(value):
    if isinstance(value, (list, tuple)):
        return [seen(v) for v in value]
    if isinstance(value, dict):
        return {str(k): seen(v) for k, v in value.items()}
    if isinstance(value, (tf.Tensor, tf.Variable)):
        if not dtensor.is_dtensor(value):
            return ["regular", list(value.shape), value.dtype.name]
        layout = dtensor.fetch_layout(value)
        value = tf.convert_to_tensor(value)
        whole = dtensor.relayout(value, Layout.replicated(layout.mesh, layout.rank)).numpy()
        return [layout.sharding_specs, value.dtype.name, np.asarray(whole, np.float64).tolist()]
    return value if isinstance(value, (int, float, bool)) else str(value)


def check(name, function):
    key = f"{section} {name}"
    try:
        found[key] = seen(function())
    except Exception as e:
        found[key] = type(e).__name__


def laid(values, specs, mesh=mesh):
    return dtensor.copy_to_mesh(tf.constant(values), Layout(specs, mesh))


f = np.arange(32, dtype=np.float32).reshape(4, 8) / 10
"""

DATASETS = r"""
section = "datasets"
data = tf.data.Dataset.from_tensor_slices((f, np.arange(4)))


def dataset(layouts=(["x", U], ["x"]), data=data, size=2, **options):
    layouts = tuple(Layout(s, mesh) for s in layouts)
    return dtensor.DTensorDataset(data, mesh=mesh, layouts=layouts, global_batch_size=size, **options)


# TensorFlow cancels what it has under way when a dataset ends
batches = iter(dataset(batch_dim="x"))
check("elements", lambda: (seen(next(batches)), seen(next(batches))))
check("specs", lambda: dataset(batch_dim="x").element_spec)
check("wrong rank", lambda: dataset(([U], [U])))
check("wrong structure", lambda: dataset(([U, U],)))
check("not cut", lambda: dataset(([U, U], [U]), batch_dim="x"))
check("wrong batch", lambda: dataset(
    data=data.batch(2, drop_remainder=True), batch_dim="x", dataset_already_batched=True))
check("open batch", lambda: dataset(data=data.batch(1), batch_dim="x", dataset_already_batched=True))
"""

MESHES = r"""
section = "meshes"
for name in '''dim_names size name strides shape num_local_devices device_type is_remote
        local_device_ids local_devices global_device_ids global_devices local_device_locations
        unravel_index host_mesh to_string min_global_device_id is_single_device
        single_device use_xla_spmd'''.split():
    value = getattr(mesh, name)
    found["mesh " + name] = repr(value() if callable(value) else value)
layout = Layout(["x", U], mesh)
for name in '''sharding_specs rank mesh shape is_fully_replicated is_batch_parallel
        is_single_device to_string offset_to_shard to_parted'''.split():
    value = getattr(layout, name)
    found["layout " + name] = repr(value() if callable(value) else value)
ids = np.arange(2)
wrong_meshes = dict(
    no_array=(["x"], [0, 1], [0], ["CPU:0"]), empty=(["x"], np.array([]), [0], ["CPU:0"]),
    gap=(["x"], np.array([0, 2]), [0], ["CPU:0"]), names=(["x", "y"], ids, [0], ["CPU:0"]),
    no_list=(["x"], ids, (0,), ["CPU:0"]), no_device=(["x"], ids, [], []),
    count=(["x"], ids, [0, 1], ["CPU:0"]), twice=(["x"], ids, [0, 1], ["GPU:0", "GPU:0"]),
    kinds=(["x"], ids, [0, 1], ["CPU:0", "GPU:0"]),
)
for name, arguments in wrong_meshes.items():
    check("mesh " + name, lambda: dtensor.Mesh(*arguments))
for name, function in {
    "dimension": lambda: (mesh["x"], mesh.dim_size("y"), mesh.contains_dim("x"), "w" in mesh),
    "no dimension": lambda: mesh["w"],
    "coords": lambda: mesh.coords(5).numpy(),
    "equal": lambda: (mesh == dtensor.Mesh.from_string(mesh.to_string()), mesh == line),
    "hash": lambda: len({mesh, dtensor.Mesh.from_string(mesh.to_string()), line}),
    "pickle": lambda: (pickle.loads(pickle.dumps(mesh)), pickle.loads(pickle.dumps(layout))),
    "proto": lambda: dtensor.Mesh.from_proto(mesh.as_proto()),
    "bytes": lambda: (mesh.as_proto().SerializeToString(), layout.as_proto().SerializeToString()),
    "no mesh": lambda: dtensor.Mesh.from_string("abc"),
    "one device": lambda: (dtensor.Mesh.from_device("CPU:0"), Layout.from_device("/job:a/device:CPU:0")),
    "named": lambda: dtensor.create_mesh({"a": 8}, mesh_name="n", devices=NAMES),
    "all": lambda: (dtensor.create_mesh(), dtensor.create_mesh([("q", -1)])),
    "too few": lambda: dtensor.create_mesh([("q", 4)], devices=NAMES),
    "conflict": lambda: dtensor.create_mesh([("q", 8)], devices=NAMES, device_type="GPU"),
    "xla": lambda: dtensor.create_mesh([("q", 8)], devices=NAMES, use_xla_spmd=True),
    "distributed": lambda: dtensor.create_distributed_mesh([("q", 8)]),
    "layouts": lambda: [
        Layout.replicated(mesh, 2), Layout.replicated(mesh, 0), Layout.batch_sharded(mesh, "y", 3),
        Layout.batch_sharded(mesh, "y", 3, axis=1), Layout.inner_sharded(mesh, "x", 3),
        Layout.from_string(layout.to_string()), Layout.from_proto(layout.as_proto()),
        layout.delete([0]), layout.delete(1), Layout(["match", "x"], mesh),
    ],
    "shards": lambda: (
        layout.num_shards(0), layout.num_shards(1), layout.local_shape_from_global_shape([6, 4]),
        layout.global_shape_from_local_shape([6, 4]), layout.offset_tuple_to_global_index((1, 0)),
    ),
    "layout equal": lambda: (layout == Layout(["x", U], mesh), layout == Layout(["x"], mesh)),
    "layout twice": lambda: Layout(["x", "x"], mesh),
    "layout unknown": lambda: Layout(["w"], mesh),
    "layout no mesh": lambda: Layout(["x"], 3),
    "layout no text": lambda: Layout.from_string("hello"),
    "layout two devices": lambda: Layout.from_single_device_mesh(mesh),
    "clients": lambda: [
        dtensor.client_id(), dtensor.num_clients(), dtensor.job_name(), dtensor.full_job_name(),
        dtensor.jobs(), dtensor.heartbeat_enabled(), dtensor.device_name(),
        dtensor.get_default_mesh(), dtensor.num_local_devices("cpu"),
        dtensor.num_global_devices("CPU"), dtensor.num_local_devices("TPU"),
        [d.to_string() for d in dtensor.local_devices("CPU")], dtensor.local_devices("GPU"),
    ],
    "task": lambda: dtensor.full_job_name(1),
    "kind": lambda: dtensor.local_devices("XPU"),
    "not begun": lambda: dtensor.shutdown_accelerator_system(),
}.items():
    check(name, function)"""

TENSORS = r"""
section = "tensors"
small = np.arange(6, dtype=np.int32).reshape(2, 3)
cut, whole = laid(small[:, :2], ["x", "y"]), laid(small, [U, U])
for name, value in dict(
    cut=cut, half=laid(small, ["x", U]), whole=whole, scalar=laid(3.5, []),
    bools=laid([True, False], ["x"]), long=laid(tf.range(6000) / 7, ["x"]),
    solid=laid(tf.reshape(tf.range(24.0), (2, 3, 4)), ["y", U, "z"]),
).items():
    found["text " + name] = [str(value), repr(value), value.device]
    found["parts " + name] = [
        [c.device, c.numpy().tolist()] for c in dtensor.unpack(value)
    ]
regular = tf.constant(small)
ones = [tf.constant([i, i]) for i in range(8)]
for name, function in {
    "numpy": lambda: whole.numpy(), "array": lambda: np.asarray(whole),
    "numpy cut": lambda: cut.numpy(), "array cut": lambda: np.asarray(cut), "bool cut": lambda: bool(cut),
    "scalars": lambda: (int(laid(3, [])), bool(laid(True, [])), len(cut)),
    "rows": lambda: list(map(str, whole)),
    "packed": lambda: str(dtensor.pack(ones, Layout(["q"], line))),
    "pack few": lambda: dtensor.pack(ones[:7], Layout(["q"], line)),
    "pack shapes": lambda: dtensor.pack([*ones[:7], tf.constant([1])], Layout(["q"], line)),
    "pack dtypes": lambda: dtensor.pack([*ones[:7], tf.constant([1.0, 2.0])], Layout(["q"], line)),
    "pack rank": lambda: dtensor.pack(ones, Layout(["q", U], line)),
    "pack mixed": lambda: dtensor.pack(
        [*ones[:7], tf.sparse.from_dense([1, 1])], Layout(["q"], line)),
    "unpack regular": lambda: dtensor.unpack(regular),
    "unpack int": lambda: dtensor.unpack(3),
    "fetch regular": lambda: dtensor.fetch_layout(regular),
    "fetch int": lambda: dtensor.fetch_layout(3),
    "kinds": lambda: (dtensor.is_dtensor(regular), dtensor.is_dtensor(cut), dtensor.is_dtensor(3)),
    "checked": lambda: dtensor.check_layout(cut, Layout(["x", "y"], mesh)),
    "check fails": lambda: dtensor.check_layout(cut, Layout(["x", U], mesh)),
    "copy cut": lambda: dtensor.copy_to_mesh(small, Layout(["x", U], mesh)),
    "copy size": lambda: dtensor.copy_to_mesh(tf.range(3), Layout(["x"], mesh)),
    "relayout": lambda: dtensor.relayout(cut, Layout(["y", U], mesh)),
    "relayout match": lambda: dtensor.relayout(cut, Layout(["match", U], mesh)),
    "relayout mesh": lambda: dtensor.relayout(whole, Layout([U, U], line)),
    "relayout like": lambda: dtensor.relayout_like(laid(small[:, :2], [U, U]), cut),
    "relayout like regular": lambda: dtensor.relayout_like(cut, regular),
    "relayout like rank": lambda: dtensor.relayout_like(laid(3, []), cut),
    "no layout": lambda: dtensor.call_with_layout(tf.ones, None, shape=(2,)),
    "call": lambda: dtensor.call_with_layout(tf.ones, Layout(["x", "y"], mesh), shape=(6, 4)),
    "call size": lambda: dtensor.call_with_layout(tf.ones, Layout(["x"], mesh), shape=(5,)),
    "call rank": lambda: dtensor.call_with_layout(tf.ones, Layout(["x"], mesh), shape=(6, 4)),
    "call random": lambda: dtensor.call_with_layout(
        tf.function(tf.random.stateless_normal), Layout([U, U], mesh), shape=(4, 8), seed=(1, 2)),
    "two meshes": lambda: laid(f, [U, U]) + laid(f, [U, U], line),
    "barrier": lambda: dtensor.barrier(mesh),
}.items():
    check(name, function)


def scope():
    with dtensor.default_mesh(mesh):
        return tf.ones([3]), tf.random.stateless_normal([2], [1, 2]), dtensor.get_default_mesh() == mesh


def old_scope():
    with dtensor.run_on(mesh):
        return tf.zeros([2])


def no_scope():
    with dtensor.default_mesh(3):
        pass


check("scope", scope)
check("run_on", old_scope)
check("no scope", no_scope)"""

OPS = r"""
section = "ops"
AXES = {"x": "x", "y": "y", "z": "z", "u": U}
A = {p: laid(f, [AXES[c] for c in p]) for p in ("xy", "xu", "uy", "yx", "uu")}
B = {p: laid(f.T.copy(), [AXES[c] for c in p]) for p in ("uy", "yx", "uu")}
V = {p: laid(f[0], [AXES[p]]) for p in ("x", "z", "u")}
for pair in ("xy xu", "xu uy", "xy yx", "uu yx"):
    p, q = pair.split()
    check("add " + pair, lambda: A[p] + A[q])
for pair in ("xy x", "uy x", "xu z", "yx x"):
    p, q = pair.split()
    check("broadcast " + pair, lambda: A[p] * V[q])
for pair in ("xy uy", "xu yx", "uy yx", "uu uy", "yx uu"):
    p, q = pair.split()
    check("matmul " + pair, lambda: tf.matmul(A[p], B[q]))
check("matmul across", lambda: tf.matmul(B["yx"], B["uu"], transpose_a=True))
check("matmul turned", lambda: tf.matmul(A["xu"], A["uy"], transpose_b=True))
a = A["xy"]
for name, function in {
    "scalar": lambda: a * 2.0, "sum": lambda: tf.reduce_sum(a), "sum 0": lambda: tf.reduce_sum(a, 0),
    "kept": lambda: tf.reduce_sum(a, -1, keepdims=True), "mean": lambda: tf.reduce_mean(a, [0]),
    "any": lambda: tf.reduce_any(a > 1, 1), "argmax": lambda: tf.argmax(a, -1),
    "softmax": lambda: tf.nn.softmax(a), "cast": lambda: tf.cast(a, tf.int32),
    "transpose": lambda: tf.transpose(a), "flat": lambda: tf.reshape(a, [32]),
    "inner": lambda: tf.reshape(a, [4, 2, 4]), "outer": lambda: tf.reshape(a, [2, 2, 8]),
    "other": lambda: tf.reshape(a, [8, 4]), "unit": lambda: tf.reshape(a, [4, 1, 8]),
    "expand": lambda: tf.expand_dims(a, 0), "squeeze": lambda: tf.squeeze(tf.expand_dims(a, 1)),
    "concat": lambda: tf.concat([a, a], 1), "split": lambda: tf.split(A["xu"], 2, axis=1),
    "unstack": lambda: tf.unstack(a)[0], "column": lambda: a[:, 0], "part": lambda: a[:2],
    "strided": lambda: a[..., ::2], "tile": lambda: tf.tile(A["xu"], [1, 2]),
    "gather": lambda: tf.gather(a, [0, 1], axis=1), "pad": lambda: tf.pad(A["xu"], [[0, 0], [2, 2]]),
    "where": lambda: tf.where(a > 1, a, -a), "cumsum": lambda: tf.cumsum(a, 1),
    "zeros": lambda: tf.zeros_like(a), "top": lambda: tf.math.top_k(a, 2),
    "sort": lambda: tf.sort(a), "one hot": lambda: tf.one_hot(tf.cast(a, tf.int32), 4),
    "broadcast": lambda: tf.broadcast_to(a, [2, 4, 8]), "moments": lambda: tf.nn.moments(a, [0]),
    "loss": lambda: tf.nn.sparse_softmax_cross_entropy_with_logits(
        logits=a, labels=laid([0, 1, 2, 3], ["x"])),
    "sigmoid loss": lambda: tf.nn.sigmoid_cross_entropy_with_logits(logits=a, labels=a),
    "einsum": lambda: tf.einsum("ij,jk->ik", a, B["uu"]), "check": lambda: tf.debugging.check_numerics(a, ""),
    "segments": lambda: tf.math.unsorted_segment_sum(a, [0, 1, 0, 1], 2),
}.items():
    check(name, function)"""

STATE = r"""
section = "state"
a, b = laid(f, ["x", U]), laid(f.T.copy(), [U, "y"])
traces = []


@tf.function
def compute(a, b):
    traces.append(type(a).__name__)
    y = a * 2.0
    for _ in tf.range(3):
        y = y * 2.0
    if tf.reduce_sum(a) > 0:
        y = y + 1.0
    return tf.matmul(a, b), tf.reduce_sum(a), y, dtensor.relayout(a, Layout(["x", "y"], mesh))


check("function", lambda: compute(a, b))
check("function again", lambda: compute(laid(f, [U, U]), laid(f.T.copy(), [U, U])))
found["traces"] = len(traces)
check("closure", lambda: tf.function(lambda: a * 2.0)())
check("laid out", lambda: dtensor.call_with_layout(
    tf.function(lambda: tf.ones([4, 8])), Layout(["x", "y"], mesh)))
check("inside", lambda: tf.function(
    lambda x: (x, dtensor.call_with_layout(tf.ones, Layout(["x"], mesh), shape=[4])))(a))
for function in (dtensor.fetch_layout, dtensor.is_dtensor, dtensor.unpack):
    check("traced " + function.__name__, lambda: tf.function(lambda x: function(x))(a))


def gradient():
    with tf.GradientTape() as tape:
        tape.watch(a)
        y = tf.reduce_sum(dtensor.relayout(a, Layout(["x", "y"], mesh)) * 3.0)
    return tape.gradient(y, a)


check("gradient", gradient)
v = dtensor.DVariable(a)
found["variable"] = [str(v), repr(dtensor.DVariable(laid(2.0, []))), v.name, v.device]
check("layout", lambda: (v.layout.sharding_specs, v.save_as_bf16, v.trainable))
check("read", lambda: (v, v.read_value(), v + 1.0, tf.matmul(v, b)))
check("assign", lambda: v.assign(laid(f, [U, U])))
check("assign_add", lambda: v.assign_add(laid(f, [U, "y"])))
check("assign mesh", lambda: v.assign(laid(f, [U, U], line)))
check("assign shape", lambda: v.assign(laid(f[0], [U])))
check("variable numpy", lambda: v.numpy())
check("whole numpy", lambda: dtensor.DVariable(laid(2.0, [])).numpy())
check("unpack variable", lambda: dtensor.unpack(v))
check("no layout", lambda: dtensor.DVariable(f))
check("given", lambda: dtensor.DVariable(f, layout=Layout(["x", U], mesh), name="w", trainable=False))
check("conflict", lambda: dtensor.DVariable(a, layout=Layout([U, U], mesh)))
check("callable", lambda: dtensor.DVariable(lambda: a))
check("dtype", lambda: dtensor.DVariable(a, dtype=tf.float64))


@tf.function
def step(x, w):
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum((tf.matmul(x, w) - 1.0) ** 2)
    gradient = tape.gradient(loss, w)
    w.assign_sub(0.01 * gradient)
    return loss


for name, specs in {"data": (["x", U], [U, U]), "model": ([U, U], [U, "y"]), "both": (["x", "y"], ["y", "z"])}.items():
    w = dtensor.DVariable(laid(f.T.copy(), specs[1]))
    x = laid(f, specs[0])
    check("train " + name, lambda: [step(x, w), step(x, w), w])

folder = tempfile.mkdtemp()


def checkpoint(kind, bf16):
    w = dtensor.DVariable(a)
    if bf16:
        dtensor.enable_save_as_bf16([w, tf.Variable(1.0)])
    saved = tf.train.Checkpoint(w=w) if kind == "plain" else dtensor.DTensorCheckpoint(mesh=mesh, w=w)
    path = saved.save(f"{folder}/{kind}{bf16}")
    w.assign(tf.zeros_like(w))
    saved.restore(path).assert_consumed()
    return w, [(n, s) for n, s in tf.train.list_variables(path)], str(
        tf.train.load_variable(path, "w/.ATTRIBUTES/VARIABLE_VALUE").dtype)


check("checkpoint", lambda: checkpoint("plain", False))
check("checkpoint bf16", lambda: checkpoint("plain", True))
check("DTensorCheckpoint", lambda: checkpoint("mesh", False))


def by_name():
    dtensor.name_based_save(mesh, folder + "/n", {"a": a, "b": b})
    restored = dtensor.name_based_restore(mesh, folder + "/n", {"a": laid(f, [U, "y"])})
    return type(restored).__name__, restored, tf.train.list_variables(folder + "/n")


check("names", by_name)
check("names regular", lambda: dtensor.name_based_restore(mesh, folder + "/n", {"a": tf.constant(f)}))
check("sharded", lambda: (dtensor.sharded_save(mesh, folder + "/s", ["a"], [""], [a]) or 1) and
      tf.train.list_variables(folder + "/s"))
"""


def differing(results):
    ours, theirs = results["torchtf"], results["tensorflow"]
    assert ours.keys() == theirs.keys()

    def same(x, y):
        if isinstance(x, list) and isinstance(y, list):
            return len(x) == len(y) and all(map(same, x, y))
        if isinstance(x, dict) and isinstance(y, dict):
            return x.keys() == y.keys() and all(same(x[k], y[k]) for k in x)
        if type(x) is float and type(y) is float:
            return bool(np.isclose(x, y, rtol=2e-5, atol=1e-6))
        return x == y

    return {
        k: {"tensorflow": theirs[k], "torchtf": ours[k]}
        for k in ours
        if not same(ours[k], theirs[k])
    }


END = """
print("RESULT", json.dumps(found))
"""


def test_as_tensorflow(tmp_path_factory):
    program = PROGRAM + DATASETS + MESHES + TENSORS + OPS + STATE + END
    results = results_of_both(tmp_path_factory, program)
    assert len(results["torchtf"]) > 200
    assert json.dumps(differing(results), indent=1) == "{}"


def test_what_tensorflow_leaves_open(run_python):
    """A regular tensor counts as replicated; what is not supported says so."""
    printed = run_python(
        """
        import numpy as np, torchtf as tf
        dtensor = tf.experimental.dtensor
        cpu = tf.config.list_physical_devices("CPU")[0]
        two = [tf.config.LogicalDeviceConfiguration()] * 2
        tf.config.set_logical_device_configuration(cpu, two)
        mesh = dtensor.create_mesh([("x", 2)])
        a = dtensor.copy_to_mesh(np.arange(4.0), dtensor.Layout(["x"], mesh))
        print(dtensor.fetch_layout(a + tf.ones([4], tf.float64)).sharding_specs)
        with tf.GradientTape() as tape:
            v = dtensor.DVariable(a)
            y = tf.reduce_sum(v * v)
        gradient = tape.gradient(y, v)
        print(dtensor.fetch_layout(gradient).sharding_specs)
        for call in (
            lambda: dtensor.copy_to_mesh("text", dtensor.Layout([], mesh)),
            lambda: dtensor.pack([tf.sparse.eye(2)] * 2, dtensor.Layout(["x", "unsharded"], mesh)),
            lambda: dtensor.create_tpu_mesh(["x"], [2], ""),
            lambda: dtensor.initialize_accelerator_system("TPU"),
        ):
            try:
                call()
            except NotImplementedError:
                print("no")
        """
    )
    assert printed.split() == ["['x']"] * 2 + ["no"] * 4
