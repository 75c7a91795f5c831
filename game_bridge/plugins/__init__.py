"""Clients for game engines, each without dependencies beyond its platform."""
