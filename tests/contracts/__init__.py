"""What other programs, stored data and people rely on: names, addresses and codes that do not change by accident."""
