"""Settings, follower, refresh, doctor, metrics, backup, edition migration, replay, store factory."""
