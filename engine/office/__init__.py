"""The office: the only place that loads, decides and keeps everything one decision owes, in one unit of work."""
