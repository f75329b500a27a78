"""Which models exist: files and folders on disk, and the digests that name their content."""
