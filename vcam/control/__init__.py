"""What a running vcam may be asked, and by whom. Start with `requests`."""
