"""The path without a clock: a film as fast as the machine allows. Start with `render`."""
