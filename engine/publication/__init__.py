"""Gates, numbered publications, git, mirror, dry run."""
