"""Measures the local engine, alone and beside the engines that a studio could take instead. Called by ``npc bench``."""
