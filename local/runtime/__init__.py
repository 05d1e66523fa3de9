"""Spark on one machine: its session, Java, jars and environment."""
