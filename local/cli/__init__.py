"""The command line of ``local``: its commands and options, and how it reports progress."""
