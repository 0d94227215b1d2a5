"""Subscriptions: committed states in order, without gap or repeat. Slow readers harm only themselves."""
