//! The OCI distribution API, with credentials. Decides nothing: not when to ask, not what an answer means for a task.
