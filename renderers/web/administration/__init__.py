"""Pages of administrators on teams, offices and jobs, and the accounts of agents and auditors themselves."""
