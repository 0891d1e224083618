"""`make failover`: the documented cluster loses servers, machines and its quorum under load."""
