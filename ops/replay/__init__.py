"""Replay: recorded signals through two bundles, and what would change. `weir policy replay` is its command.

Columnar: rules are evaluated on whole arrays, so a million recorded events take seconds. Needs numpy (the `worker`
extra) and, for Parquet, pyarrow.
"""
