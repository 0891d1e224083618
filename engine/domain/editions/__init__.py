"""Migration, renaming, draft migration, replay, prefill."""
