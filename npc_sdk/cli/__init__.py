"""The `npc` command: one small module a subcommand, each loading what it needs only when it runs."""
