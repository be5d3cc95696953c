"""`weir demo`: the whole path on this machine, from the bundled samples to verdicts on the screen and a report."""
