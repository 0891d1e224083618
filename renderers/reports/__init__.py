"""Problems, scenarios, changes, publication, migration, replay as reports."""
