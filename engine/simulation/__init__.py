"""Simulation of procedures: scenarios, exploration, preview, demonstration data, coverage."""
