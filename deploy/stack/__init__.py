"""Starts, watches and stops what Amends needs on one machine: Postgres, Kafka, our services.

Standard library only. deploy/up runs it as a supervisor in the background (`python3 -m stack`), the integration tests
use it inside pytest. Reading order: services.py (the table), unit.py and group.py (life of one process and of all),
postgres.py, kafka.py, stack.py (puts them together), supervisor.py, up.py.
"""
