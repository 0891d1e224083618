"""Rules that several subjects share: access, agent rights, working time, decisions, parts of tasks, texts."""
