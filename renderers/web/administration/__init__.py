"""Pages of administrators on teams, offices and jobs, and the own account of staff."""
