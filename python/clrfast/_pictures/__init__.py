"""Pictures of schedules and analyses: what they show, and the libraries that draw it."""
