"""What happened: counters and histograms, added up over processes."""
