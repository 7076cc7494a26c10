"""An index in an S3 bucket: commits that only one publisher can make and anyone can finish."""
