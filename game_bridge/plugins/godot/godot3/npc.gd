# One NPC that the player talks to. Put it under the character; see npc_base.gd for its methods and signals.
extends "npc_base.gd"
class_name Npc

export var npc_id = ""
export var player = "Traveller"
export(NodePath) var world = NodePath()  # where empty, the scene's first NpcWorld
