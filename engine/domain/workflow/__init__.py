"""Workflow: state machine, acts, transitions, tasks, timers, due dates, fees, opinions, progress."""
