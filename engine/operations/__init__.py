"""Operation of an installation: settings, publications, doctor, metrics, backup, migration, replay."""
