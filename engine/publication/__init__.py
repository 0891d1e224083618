"""Publication of editions: gates, numbered publications, git, the mirror of a repository, the dry run."""
