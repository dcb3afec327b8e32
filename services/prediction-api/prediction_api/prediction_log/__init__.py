"""The prediction log: what was asked and answered, kept in a database, and what turned out to be true."""
