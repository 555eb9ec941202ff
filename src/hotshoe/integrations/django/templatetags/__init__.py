"""Where Django looks for tags of templates."""
