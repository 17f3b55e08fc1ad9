"""The tf.data service: pipelines that run in other processes (see `docs/data.md`).

* `_plans`: a dataset as bytes, and what of it is split or sharded among workers.
* `dispatcher`: keeps datasets, jobs and tasks; hands out splits; its journal.
* `worker`: runs a plan for each task and gives its elements to consumers.
* `client`: the node that stands for a job in the plan of a consumer.

A *job* is a dataset, a way to share it out and, if it is shared, a name. Each time a consumer
iterates, the job has an *iteration*, and each worker one *task* of it. All know each other by
address alone; what they say is in `core.remote`'s messages, and elements travel as the columns of
chunks (`_storage.pack_chunk`).
"""
