"""``python -m npc_sdk.cli`` is the `npc` command."""

from npc_sdk.cli.app import main

main()
