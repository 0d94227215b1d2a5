"""Machines and their versions: publish, check, choose. Of instances it knows only whether there are any."""
