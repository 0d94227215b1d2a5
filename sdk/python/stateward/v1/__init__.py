"""The contract as Python: messages and services generated from protos/stateward/v1 by `make gen`.

The client classes in `stateward` wrap these; import them only if you need the wire itself.
"""
