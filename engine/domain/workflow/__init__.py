"""State machine: actions, transitions, tasks, timers, due dates, fees, opinions, progress."""
