"""Network definitions: torch and nothing of ours; no devices, no global settings."""
