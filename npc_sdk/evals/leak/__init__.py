"""Does any prompt hold what its character must not know? A cast is asked, without a model: `npc check --leaks`."""
