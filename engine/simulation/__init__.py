"""Simulation of procedures: scenarios in memory, exploration, authors' preview, demonstration data, coverage."""
