"""When things happen: queues, schedules, the launcher, and the style loop."""
