"""Reports for authors and operators: problems, scenarios, changes, publication, migration, replay."""
