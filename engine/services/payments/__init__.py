"""Payment start, cash, settlement, refunds."""
