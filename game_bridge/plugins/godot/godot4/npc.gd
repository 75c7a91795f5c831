# One NPC that the player talks to. Put it under the character; see npc_base.gd for its methods and signals.
class_name Npc
extends "npc_base.gd"

@export var npc_id = ""
@export var player = "Traveller"
@export var world: NodePath = NodePath()  # where empty, the scene's first NpcWorld
