"""Operation of an installation: settings, publications, doctor, metrics, backup, migration of editions, replay."""
