"""Where the ledger and the catalog are kept: one package per store, all alike from the outside."""

"""Where the ledger and the catalog are kept: one package per store, all alike from the outside."""
